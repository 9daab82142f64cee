// How servers on Node's http read a path. It hands them req.url as it came, so each
// framework has a way of its own; the answer names every way in which the request
// would be the admin's part.
//
//     node node.mjs node=8001
import { createServer } from "node:http";
import path from "node:path";
import url from "node:url";

const decoded = (s) => {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
};
const withoutQuery = (s) => s.split("?")[0];

const readings = {
  "as it came": withoutQuery,
  "url.parse": (s) => url.parse(s).pathname ?? "",
  "URL": (s) => new URL(s, "http://localhost").pathname,
  "URL, decoded": (s) => decoded(new URL(s, "http://localhost").pathname),
  "an absolute URL": (s) => new URL("http://localhost" + s).pathname,
  "decoded": (s) => decoded(withoutQuery(s)),
  "decoded and normalised": (s) => path.posix.normalize(decoded(withoutQuery(s))),
  "normalised, then decoded": (s) => decoded(path.posix.normalize(withoutQuery(s))),
  "decoded and resolved": (s) => path.posix.resolve("/", "." + decoded(withoutQuery(s))),
  "as on Windows": (s) => path.win32.normalize(decoded(withoutQuery(s))).replaceAll("\\", "/"),
  "whatever the case": (s) => withoutQuery(s).toLowerCase(),
  "decoded, whatever the case": (s) => decoded(withoutQuery(s)).toLowerCase(),
  "in pieces": (s) => "/" + withoutQuery(s).split("/").filter(Boolean).map(decoded).join("/"),
};

for (const order of process.argv.slice(2)) {
  const [name, port] = order.split("=");
  const admin = new RegExp(`^(?:/${name})?/admin(?:/|$)`);
  createServer((req, res) => {
    const ways = Object.keys(readings).filter((way) => {
      try {
        return admin.test(readings[way](req.url));
      } catch {
        return false; // what cannot be read is nobody's
      }
    });
    req.resume();
    res.setHeader("Content-Type", "text/plain");
    res.end(ways.length ? `part: admin (${ways.join(", ")})` : "part: members");
  }).listen(Number(port), "127.0.0.1");
}
