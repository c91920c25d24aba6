// A server of the TypeScript SDK, for the guide's client. It cuts the answer of `count` in its middle.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

/** Keeps every event, so that streams can be resumed. */
class Events {
  kept = [];
  async storeEvent(stream, message) {
    this.kept.push({ stream, message });
    return `${this.kept.length - 1}`;
  }
  async getStreamIdForEventId(id) {
    return this.kept[id]?.stream;
  }
  async replayEventsAfter(id, { send }) {
    const { stream } = this.kept[id];
    for (let n = Number(id) + 1; n < this.kept.length; n++) {
      const { stream: of, message } = this.kept[n];
      if (of === stream && Object.keys(message).length) await send(`${n}`, message);
    }
    return stream;
  }
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (text) => ({ content: [{ type: "text", text }] });
const transports = new Map();

async function connect() {
  const server = new McpServer({ name: "try", version: "1" }, { capabilities: { logging: {} } });
  server.registerTool("count", { inputSchema: { to: z.number() } }, async ({ to }, extra) => {
    for (let progress = 1; progress <= to; progress++) {
      await later(200);
      const progressToken = extra._meta?.progressToken;
      await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: to } });
      if (progress === 4) extra.closeSSEStream?.();
    }
    return text(`counted to ${to}`);
  });
  server.registerTool("remind", { inputSchema: { seconds: z.number() } }, async ({ seconds }) => {
    setTimeout(() => server.server.sendLoggingMessage({ level: "info", data: "it is time" }), seconds * 1000);
    return text("You will be told.");
  });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new Events(),
    retryInterval: 1000,
    onsessioninitialized: (id) => void transports.set(id, transport),
  });
  await server.connect(transport);
  return transport;
}

const http = createServer(async (request, response) => {
  const last = request.headers["last-event-id"];
  console.error(`${request.method}${last ? ` behind ${last}` : ""}`);
  const transport = transports.get(request.headers["mcp-session-id"]) ?? (await connect());
  await transport.handleRequest(request, response);
});
http.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${http.address().port}`));
