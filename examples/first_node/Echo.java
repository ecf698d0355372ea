import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.regex.Pattern;

public class Echo {
    static final Pattern MESSAGE = Pattern.compile(
        "(?=.*\"src\":\"(?<src>[^\"]*)\")(?=.*\"dest\":\"(?<dest>[^\"]*)\")(?=.*\"type\":\"(?<type>[^\"]*)\")"
            + "(?=.*\"msg_id\":(?<id>\\d+))(?:.*\"echo\":(?<echo>\"[^\"]*\"))?.*");

    public static void main(String[] arguments) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            var m = MESSAGE.matcher(line);
            if (!m.matches()) continue;
            var echo = m.group("type").equals("echo") ? ",\"echo\":" + m.group("echo") : "";
            System.out.printf("{\"src\":\"%s\",\"dest\":\"%s\",\"body\":{\"type\":\"%s_ok\",\"in_reply_to\":%s%s}}%n",
                m.group("dest"), m.group("src"), m.group("type"), m.group("id"), echo);
            System.out.flush();
        }
    }
}
