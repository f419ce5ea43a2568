// The paths of upstream_app.py on node's own HTTP/2 (nghttp2): a second server that is not written in Python.
// Usage: node upstream_node.mjs PORT CERTIFICATE KEY REQUESTS, the last being how many requests a connection serves.

import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";

const [port, certificate, key, most] = process.argv.slice(2);
const memories = new Map();
const now = () => Number(process.hrtime.bigint()) / 1e9;

function memoryOf(id) {
  if (!memories.has(id)) memories.set(id, { count: 0, started: 0, ended: 0, sent: 0, received: 0 });
  return memories.get(id);
}

function whole(response, data) {
  response.writeHead(200, { "content-length": Buffer.byteLength(data) });
  response.end(data);
}

function body(request, memory) {
  return new Promise((resolve) => {
    const pieces = [];
    request.on("data", (data) => { pieces.push(data); memory.received += data.length; });
    request.on("end", () => resolve(Buffer.concat(pieces)));
  });
}

const paths = {
  async "/count"(request, response, settings, memory) {
    memory.count += 1;
    const data = await body(request, memory);
    whole(response, JSON.stringify({ port: request.socket.remotePort, bytes: data.length }));
  },
  async "/echo"(request, response, settings, memory) {
    whole(response, await body(request, memory));
  },
  "/size"(request, response, settings, memory) {
    let left = Number(settings.get("n"));
    response.writeHead(200, { "content-length": left });
    const more = () => {
      while (left) {
        const data = Buffer.alloc(Math.min(16384, left));
        left -= data.length;
        memory.sent += data.length;
        if (!response.write(data)) return response.once("drain", more);
      }
      return response.end();
    };
    more();
  },
  "/stream"(request, response, settings, memory) {
    memory.started = now();
    response.writeHead(200, { "content-type": "text/event-stream" });
    const timer = setInterval(() => response.write("data: tick\n\n"), 1000 * Number(settings.get("pause") ?? 0.005));
    response.on("close", () => { clearInterval(timer); memory.ended = now(); });
  },
  "/silent"(request, response, settings, memory) {
    memory.started = now();
    request.resume();
    response.on("close", () => { memory.ended = now(); });
  },
  "/memory"(request, response, settings, memory) {
    whole(response, JSON.stringify(memory));
  },
  "/totals"(request, response, settings) {
    const found = [...memories].filter(([id]) => id.startsWith(settings.get("prefix"))).map(([, memory]) => memory);
    whole(response, JSON.stringify({
      ids: found.length,
      most: Math.max(0, ...found.map((memory) => memory.count)),
      open: found.filter((memory) => memory.started && !memory.ended).length,
    }));
  },
};

const server = createSecureServer({ allowHTTP1: true, cert: readFileSync(certificate), key: readFileSync(key) });
server.on("session", (session) => {
  let served = 0;
  // after its last request the connection says GOAWAY and ends when its streams have ended
  session.on("stream", () => { served += 1; if (served === Number(most)) session.close(); });
});
server.on("request", (request, response) => {
  const url = new URL(request.url, "https://upstream");
  const id = url.searchParams.get("id");
  const memory = id === null ? { count: 0, started: 0, ended: 0, sent: 0, received: 0 } : memoryOf(id);
  paths[url.pathname](request, response, url.searchParams, memory);
});
server.on("sessionError", () => {});
server.listen(Number(port), "127.0.0.1");
