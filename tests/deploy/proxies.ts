import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { makeKeyPair } from "../conformance/key-pair.ts";
import { Program, readConfiguration } from "./programs.ts";

/** What a proxy of docs/deploy is started with. */
export interface ProxyOptions {
  /** Folder for its files. */
  readonly folder: string;
  readonly keyPair: ReturnType<typeof makeKeyPair>;
  /** Port to listen on. */
  readonly port: number;
  /** Ports of the relay, and of the one that takes over. */
  readonly relayPorts: readonly [number, number];
}

/** A reverse proxy that docs/deploy has a configuration for. */
export interface ReverseProxy {
  readonly name: string;
  /** Command that installs it on Debian. */
  readonly install: string;
  start(options: ProxyOptions): Program;
}

function startNginx({ folder, keyPair, port, relayPorts }: ProxyOptions): Program {
  const site = readConfiguration("nginx.conf", [
    ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
    ["/etc/ssl/relay.example.org.crt", keyPair.cert],
    ["/etc/ssl/relay.example.org.key", keyPair.key],
    ["/var/log/nginx/relay.log", join(folder, "access.log")],
    ["127.0.0.1:8080", `127.0.0.1:${relayPorts[0]}`],
    ["127.0.0.1:8081", `127.0.0.1:${relayPorts[1]}`],
  ]);
  writeFileSync(join(folder, "site.conf"), site);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const main = `daemon off; pid ${join(folder, "nginx.pid")}; error_log stderr; ${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1; events { worker_connections 512; }
http { ${temporary.join(" ")} include ${join(folder, "site.conf")}; }
`;
  writeFileSync(join(folder, "nginx.conf"), main);
  return new Program(["nginx", "-e", "stderr", "-c", join(folder, "nginx.conf")]);
}

function startCaddy({ folder, keyPair, port, relayPorts }: ProxyOptions): Program {
  const site = readConfiguration("Caddyfile", [
    ["relay.example.org {", `https://localhost:${port} {\n\tbind 127.0.0.1\n\ttls ${keyPair.cert} ${keyPair.key}`],
    ["127.0.0.1:8080", `127.0.0.1:${relayPorts[0]}`],
    ["127.0.0.1:8081", `127.0.0.1:${relayPorts[1]}`],
  ]);
  writeFileSync(join(folder, "Caddyfile"), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`);
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  return new Program(["caddy", "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")], env);
}

function startHaproxy({ folder, keyPair, port, relayPorts }: ProxyOptions): Program {
  const pem = join(folder, "haproxy.pem");
  writeFileSync(pem, keyPair.certText + keyPair.keyText);
  const configuration = readConfiguration("haproxy.cfg", [
    ["maxconn 20000", "maxconn 200"],
    ["bind :443", `bind 127.0.0.1:${port}`],
    ["/etc/ssl/relay.example.org.pem", pem],
    ["127.0.0.1:8080", `127.0.0.1:${relayPorts[0]}`],
    ["127.0.0.1:8081", `127.0.0.1:${relayPorts[1]}`],
  ]);
  writeFileSync(join(folder, "haproxy.cfg"), configuration);
  return new Program(["haproxy", "-db", "-f", join(folder, "haproxy.cfg")]);
}

export const nginx: ReverseProxy = { name: "nginx", install: "apt-get install nginx-light", start: startNginx };
export const proxies: readonly ReverseProxy[] = [
  nginx,
  { name: "caddy", install: "apt-get install caddy", start: startCaddy },
  { name: "haproxy", install: "apt-get install haproxy", start: startHaproxy },
];
