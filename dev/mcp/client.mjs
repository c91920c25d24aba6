// The client of the TypeScript SDK, against the guide's server.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const asked = [];
// Tells of each request, so that resumptions can be seen.
const fetching = async (url, init) => {
  const response = await fetch(url, init);
  const last = new Headers(init?.headers).get("last-event-id");
  asked.push(`${init?.method ?? "GET"}${last ? ` behind ${last}` : ""}: ${response.status}`);
  return response;
};
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]), { fetch: fetching });
const client = new Client({ name: "try", version: "1" });
client.onerror = (error) => console.log("error:", error.message);
const reminded = new Promise((resolve) =>
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params.data)));

await client.connect(transport);
console.log("version:", transport.protocolVersion, "id:", transport.sessionId ? "given" : "none");
console.log("tools:", (await client.listTools()).tools.map(({ name }) => name).join(" "));
const steps = [];
const text = ({ content }) => content[0].text;
console.log(text(await client.callTool({ name: "remind", arguments: { seconds: 2 } })));
const count = client.callTool(
  { name: "count", arguments: { to: 8 } }, undefined, { onprogress: ({ progress }) => steps.push(progress) });
console.log(text(await count), "by", steps.join(" "));
if (steps.join() !== "1,2,3,4,5,6,7,8") throw new Error("steps are missing or doubled");
console.log("unasked:", await reminded);

// A request that is cancelled.
const cancelled = new AbortController();
const long = client.callTool({ name: "count", arguments: { to: 1000 } }, undefined, { signal: cancelled.signal });
setTimeout(() => cancelled.abort("enough"), 500);
console.log("cancelled:", await long.then(() => "not", (error) => error.message ?? error));

await transport.terminateSession();
await client.close();
console.log("requests:", asked.join("; "));
