// Echo and broadcast: a pool of threads handles messages, another one gossips every 200 ms.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.*;

public class Node {
    static String me = "";
    static final List<String> peers = new ArrayList<>();
    static final SortedSet<Long> seen = new TreeSet<>();
    static final Map<String, Set<Long>> told = new HashMap<>();

    // The messages of these workloads are simple enough to be taken apart without a library.
    static String text(String line, String key) {
        Matcher m = Pattern.compile("\"" + key + "\":\\s*(\"[^\"]*\"|[^,}\\[\\s]+|\\[[^\\]]*\\])").matcher(line);
        return m.find() ? m.group(1) : null;
    }
    static String bare(String text) { return text.replaceAll("[\"\\[\\]\\s]", ""); }
    static List<Long> numbers(String list) {
        List<Long> all = new ArrayList<>();
        for (String number : bare(list).split(",")) if (!number.isEmpty()) all.add(Long.parseLong(number));
        return all;
    }
    static void send(String dest, String body) {
        synchronized (System.out) {
            System.out.print("{\"src\":\"" + me + "\",\"dest\":\"" + dest + "\",\"body\":{" + body + "}}\n");
            System.out.flush();
        }
    }

    static synchronized void handle(String line) {
        String body = line.substring(line.indexOf("\"body\""));
        String src = bare(text(line, "src")), type = bare(text(body, "type")), extra = "";
        switch (type) {
            case "init":
                me = bare(text(body, "node_id"));
                for (String peer : bare(text(body, "node_ids")).split(",")) {
                    if (peer.equals(me)) continue;
                    peers.add(peer);
                    told.put(peer, new HashSet<>());
                }
                break;
            case "echo": extra = ",\"echo\":" + text(body, "echo"); break;
            case "broadcast": seen.add(Long.parseLong(text(body, "message"))); break;
            case "read": extra = ",\"messages\":" + seen; break;
            case "gossip":
            case "gossip_ok":
                seen.addAll(numbers(text(body, "messages")));
                told.get(src).addAll(numbers(text(body, "messages")));
                if (type.equals("gossip_ok")) return;
                extra = ",\"messages\":" + text(body, "messages");
                break;
        }
        send(src, "\"type\":\"" + type + "_ok\",\"in_reply_to\":" + text(body, "msg_id") + extra);
    }

    static synchronized void gossip() {
        for (String peer : peers) {
            SortedSet<Long> news = new TreeSet<>(seen);
            news.removeAll(told.get(peer));
            if (!news.isEmpty()) send(peer, "\"type\":\"gossip\",\"msg_id\":1,\"messages\":" + news);
        }
    }

    public static void main(String[] arguments) throws Exception {
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
        ExecutorService handlers = Executors.newFixedThreadPool(4);
        timer.scheduleAtFixedRate(Node::gossip, 200, 200, TimeUnit.MILLISECONDS);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            String message = line;
            if (me.isEmpty()) handle(message);
            else handlers.execute(() -> handle(message));
        }
        handlers.shutdown();
        timer.shutdownNow();
    }
}
