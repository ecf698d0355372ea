import { createInterface } from "node:readline";

type Body = { type: string; msg_id: number; echo?: unknown };
type Message = { src: string; dest: string; body: Body };

createInterface({ input: process.stdin }).on("line", (line: string) => {
  const { src, dest, body } = JSON.parse(line) as Message;
  const reply = { type: `${body.type}_ok`, in_reply_to: body.msg_id, echo: body.type === "echo" ? body.echo : undefined };
  console.log(JSON.stringify({ src: dest, dest: src, body: reply }));
});
