// Adds the access key to every request, for a client that cannot. All else passes as it is.
// Usage: node bearer-proxy.mjs PORT_OF_SERVER KEY; prints its own port.
import http from "node:http";

const [, , target, key] = process.argv;

const proxy = http.createServer((request, response) => {
  const onward = http.request({
    host: "127.0.0.1",
    port: target,
    path: request.url,
    method: request.method,
    headers: { ...request.headers, authorization: `Bearer ${key}` },
    setHost: false,
  });
  onward.on("response", (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
});
proxy.listen(0, "127.0.0.1", () => console.log(proxy.address().port));
