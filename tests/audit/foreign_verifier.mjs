// A second verifier of the audit log, in another language, written from docs/audit-format.md and from nothing else.
//
//   node foreign_verifier.mjs FOLDER [ANCHORS]                        a run's folder, perhaps against a file of anchors
//   node foreign_verifier.mjs --vectors FOLDER                        all vectors, each a segment alone
//
// It prints one JSON object and ends with 0, or 4 for a damaged folder.  It is small, reads whole files into memory, and stops at
// the first thing that is wrong.  Compressed segments are unpacked by the zstdcat command.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const sha256 = (...pieces) => pieces.reduce((hash, piece) => hash.update(piece), createHash("sha256")).digest("hex");
const HEX = /^[0-9a-f]{64}$/;
const OUTCOMES = ["deleted", "failed", "skipped", "invalid", "duplicate"];

class Damage extends Error {
  constructor(why, record = null) {
    super(why);
    this.record = record;
  }
}

function expect(holds, why, record) {
  if (!holds) throw new Damage(why, record);
}

// -- JSON (RFC 8259): no key twice, and numbers as they are written, for digests ------------------------------------

class Num {
  constructor(text) {
    this.text = text;
  }
  get value() {
    return Number(this.text);
  }
}

function parse(text) {
  let at = 0;
  const token = /\s*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y;
  function next() {
    token.lastIndex = at;
    const found = token.exec(text);
    expect(found, `not JSON at ${at}`);
    at = token.lastIndex;
    return found;
  }
  function value(found = next()) {
    const [, mark, string, number, word] = found;
    if (string !== undefined) return JSON.parse(string);
    if (number !== undefined) return new Num(number);
    if (word !== undefined) return JSON.parse(word);
    if (mark === "[") return list();
    expect(mark === "{", `not JSON at ${at}`);
    return object();
  }
  function list() {
    const items = [];
    for (let found = next(); found[1] !== "]"; ) {
      items.push(value(found));
      found = next();
      expect(found[1] === "]" || found[1] === ",", `not JSON at ${at}`);
      if (found[1] === ",") found = next();
    }
    return items;
  }
  function object() {
    const members = new Map();
    for (let found = next(); found[1] !== "}"; ) {
      expect(found[2] !== undefined, `no key at ${at}`);
      const key = JSON.parse(found[2]);
      expect(!members.has(key), `the key ${key} twice`);
      expect(next()[1] === ":", `not JSON at ${at}`);
      members.set(key, value());
      found = next();
      expect(found[1] === "}" || found[1] === ",", `not JSON at ${at}`);
      if (found[1] === ",") found = next();
    }
    return members;
  }
  const whole = value();
  expect(/^\s*$/.test(text.slice(at)), "more than one JSON value");
  expect(whole instanceof Map, "not a JSON object");
  return whole;
}

function canonical(value) {
  if (value instanceof Num) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const keys = [...value.keys()].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value.get(key))}`).join(",")}}`;
}

const whole = (value) => value instanceof Num && /^\d+$/.test(value.text);
const number = (value) => (expect(whole(value), `${value} is no whole number`), value.value);

// -- the log --------------------------------------------------------------------------------------------------------

class Log {
  constructor(digest, records, decisions) {
    Object.assign(this, { digest, records, decisions, seq: 0, prev: digest, run: null, epoch: 0, finished: false });
    this.released = -1;
    this.lease = 0;
    this.done = new Set();
    this.outcomes = {};
    this.hashes = [];
  }

  // Take one segment's bytes; what a crash may have left of the last one's end is passed over.
  segment(bytes, number, isLast) {
    let start = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(0x0a, start) + 1;
      const line = end ? bytes.subarray(start, end) : bytes.subarray(start);
      let said = null;
      try {
        said = this.line(line);
      } catch (damage) {
        if (isLast && mayBeTorn(bytes, start, this.seq)) return;
        throw damage;
      }
      expect((start === 0) === (said.get("event") === "segment"), "a segment record stands first, and only there", this.seq);
      if (start === 0) expect(said.get("segment").text === String(number), `not segment ${number}`, this.seq);
      this.take(said);
      this.prev = sha256(line);
      this.hashes.push(this.prev);
      this.seq += 1;
      start = end;
    }
    expect(isLast || bytes.length, "an empty segment", this.seq);
  }

  // Rule 1: the line by itself.
  line(bytes) {
    const at = this.seq;
    expect(bytes.at(-1) === 0x0a && bytes.every((byte) => byte < 0x80 && byte !== 0x0d), "no line of a log", at);
    const text = bytes.toString("latin1").slice(0, -1);
    let said;
    try {
      said = parse(text);
    } catch (damage) {
      throw new Damage(damage.message, at);
    }
    const keys = [...said.keys()];
    expect(keys.slice(0, 4).join() === "seq,ts,event,run" && keys.slice(-2).join() === "epoch,prev", "not its keys", at);
    expect(["ts", "event", "run", "prev"].every((key) => typeof said.get(key) === "string"), "types", at);
    expect(whole(said.get("seq")) && whole(said.get("epoch")), "types", at);
    expect(text.endsWith(`"prev":"${said.get("prev")}"}`) && HEX.test(said.get("prev")), "not its end", at);
    return said;
  }

  // Rules 2 to 6: the line after those before it.
  take(said) {
    const at = this.seq;
    const epoch = number(said.get("epoch"));
    expect(said.get("seq").text === String(at), `numbered ${said.get("seq").text}`, at);
    expect(said.get("prev") === this.prev, "prev is not the hash of the line before", at);
    expect(this.run === null || said.get("run") === this.run, "another run", at);
    expect(epoch >= this.epoch, "epoch goes back", at);
    [this.run, this.epoch] = [said.get("run"), epoch];
    try {
      this.event(said);
    } catch (damage) {
      throw new Damage(damage.message, at);
    }
  }

  event(said) {
    for (const name of ["attempts", "throttled", "server_faults", "active_seconds"]) {
      const value = said.get(name) ?? null;
      expect(value === null || value instanceof Num, `${name} is no number`);
    }
    switch (said.get("event")) {
      case "segment":
        expect(said.get("plan_digest") === this.digest, "of another plan");
        expect(number(said.get("records")) === this.records, "of another inventory");
        break;
      case "opened": {
        const lease = said.get("lease_epoch") ?? null;
        if (lease === null) break;
        expect(whole(lease) && number(lease) >= Math.max(1, this.lease), "the lease's epoch goes back");
        this.lease = number(lease);
        break;
      }
      case "released": {
        const [first, last] = [number(said.get("first")), number(said.get("last"))];
        expect(first <= last && last < this.records, "a release of what is not there");
        this.released = Math.max(this.released, last);
        break;
      }
      case "outcome":
        this.outcome(number(said.get("ordinal")), said.get("outcome"));
        break;
      case "finished":
        this.finish(said.get("counts"));
    }
  }

  outcome(ordinal, word) {
    expect(ordinal < this.records && OUTCOMES.includes(word), "no outcome of a record of the plan");
    expect(!this.done.has(ordinal), `a second outcome of ${ordinal}`);
    if (word === "deleted" || word === "failed") {
      expect(ordinal <= this.released, `${ordinal} was sent before it was released`);
      expect(!this.decisions || this.decisions[ordinal] === 0, `${ordinal} was sent, and the plan keeps it`);
    }
    this.done.add(ordinal);
    this.outcomes[word] = (this.outcomes[word] ?? 0) + 1;
  }

  finish(counts) {
    this.finished = true;
    for (const word of OUTCOMES) {
      expect(Number(counts.get(word)?.text ?? 0) === (this.outcomes[word] ?? 0), `it ends with other counts: ${word}`);
    }
    expect(this.done.size === this.records, "it ends with records without an outcome");
  }

  // Somebody vouches that line ``seq`` has this hash.
  vouched(who, seq, hash) {
    expect(seq < this.seq, `the log ends before what ${who} vouches for`, this.seq);
    expect(seq < 0 || this.hashes[seq] === hash, `${who} vouches for another line`, seq);
  }
}

// "The end of the log": what a crash leaves of one commit.
function mayBeTorn(bytes, start, seq) {
  const rest = bytes.subarray(start);
  const text = rest.toString("latin1");
  const stamps = new Set([...text.matchAll(/\{"seq":\d+,"ts":"([^"\0]{24})","event":"/g)].map((found) => found[1]));
  if (stamps.size > 1 || !rest.every((byte) => byte === 0 || byte === 0x0a || (byte >= 0x20 && byte < 0x7f))) return false;
  for (const zeros of text.matchAll(/\0+/g)) {
    const [from, to] = [zeros.index, zeros.index + zeros[0].length];
    const toTheEnd = to === text.length;
    if (!toTheEnd && (start + to) % 512) return false;
    if (!toTheEnd && from !== 0 && (start + from) % 512) return false;
  }
  if (/"prev":"[0-9a-f]{64}"\}[^\0\n]/.test(text)) return false;
  const lines = text.split("\n");
  const begins = (line, how) => how.startsWith(line.split("\0")[0].slice(0, how.length));
  if (lines.length > 1 && !lines[0].includes("\0")) return false;
  if (!begins(lines[0], `{"seq":${seq},"ts":"`) || !lines.every((line) => begins(line, '{"seq":'))) return false;
  const whole = /^\{"seq":\d{1,19},"ts":"[^"]{24}","event":".*"prev":"[0-9a-f]{64}"\}$/;
  return lines.slice(0, -1).every((line) => line.includes("\0") || whole.test(line));
}

// -- the files around it --------------------------------------------------------------------------------------------

function sealed(folder, file, name) {
  const document = parse(readFileSync(join(folder, file), "utf8"));
  expect(sha256(canonical(document.get(name))) === document.get("digest"), `${file} has another digest`);
  return [document.get(name), document];
}

function unpacked(file) {
  const { status, stdout } = spawnSync("zstdcat", [file], { maxBuffer: 2 ** 30 });
  expect(status === 0, `${file} can't be unpacked`);
  return stdout;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}

function checkpoint(log, file, name) {
  const bytes = readFileSync(file);
  const content = bytes.subarray(0, -10);
  expect(bytes.subarray(-10).toString("latin1") === `\n${crc32(content)}\n`, `the CRC of ${name}`);
  const head = parse(content.subarray(0, content.indexOf(0x0a)).toString("utf8"));
  expect(head.get("run") === log.run && head.get("plan_digest") === log.digest, `${name} is of another run`);
  const position = head.get("position");
  log.vouched(name, number(position.get("seq")) - 1, position.get("last_hash"));
}

function manifest(folder, segments) {
  if (!existsSync(join(folder, "manifest.jsonl"))) return;
  let previous = sha256("");
  readFileSync(join(folder, "manifest.jsonl"), "utf8").split(/(?<=\n)/).forEach((line, place) => {
    if (!line.endsWith("\n")) return;
    const entry = parse(line);
    expect(entry.get("name") === `${String(place + 1).padStart(6, "0")}.jsonl`, "a line of the manifest is missing");
    expect(entry.get("previous") === previous, "a line of the manifest was changed");
    const lines = segments[place].toString("latin1").split(/(?<=\n)/);
    const [first, last] = [parse(lines[0]), parse(lines.at(-1))];
    const found = [lines.length, first.get("seq").text, last.get("seq").text];
    const told = ["records", "first_seq", "last_seq"].map((key) => entry.get(key).text);
    expect(told.join() === found.join(), "a segment has not the lines that the manifest says");
    expect(entry.get("sha256") === sha256(segments[place]), "a segment is not what the manifest says");
    expect(entry.get("last_hash") === sha256(lines.at(-1)), "a segment does not end as the manifest says");
    const packed = join(folder, `${entry.get("name")}.zst`);
    if (entry.has("packed_crc32") && existsSync(packed)) {
      expect(crc32(readFileSync(packed)) === entry.get("packed_crc32"), "a compressed segment was changed");
    }
    previous = sha256(line);
  });
}

function checkFolder(folder, anchors) {
  const [plan, document] = sealed(folder, "plan.json", "plan");
  const runSha256 = document.get("run_sha256") ?? null;
  expect(runSha256 === null || sha256(readFileSync(join(folder, "run.json"))) === runSha256, "run.json was changed");
  const decisions = readFileSync(join(folder, "decisions"));
  const both = sha256(decisions, readFileSync(join(folder, "duplicates")));
  expect(both === plan.get("decisions_sha256"), "the decisions were changed");
  const snapshot = plan.get("snapshot");
  const inventory = join(folder, snapshot.get("file"));
  if (existsSync(inventory)) expect(sha256(readFileSync(inventory)) === snapshot.get("sha256"), "the inventory was changed");
  const log = new Log(document.get("digest"), number(plan.get("counts").get("inventory")), decisions);
  const audit = join(folder, "audit");
  const plain = readdirSync(audit).map((name) => name.replace(/\.zst$/, ""));
  const names = [...new Set(plain.filter((name) => /^\d{6,9}\.jsonl$/.test(name)))].sort();
  const segments = names.map((name, place) => {
    expect(Number(name.slice(0, -6)) === place + 1, "a segment is missing");
    const file = join(audit, name);
    return existsSync(file) ? readFileSync(file) : unpacked(`${file}.zst`);
  });
  segments.forEach((bytes, place) => log.segment(bytes, place + 1, place === segments.length - 1));
  manifest(audit, segments);
  for (const name of ["checkpoint", "checkpoint.previous"]) {
    if (existsSync(join(folder, name))) checkpoint(log, join(folder, name), name);
  }
  if (existsSync(join(folder, "certificate.json"))) {
    const [certificate, sealing] = sealed(folder, "certificate.json", "certificate");
    expect(certificate.get("plan_digest") === log.digest, "the certificate is of another plan");
    const [seq, hash] = certificate.get("audit_anchor").split(":");
    log.vouched("the certificate", Number(seq), hash);
    expect(sha256(readFileSync(join(folder, "certificate.txt"))) === sealing.get("text_sha256"), "certificate.txt");
  }
  if (anchors) hold(log, readFileSync(anchors, "latin1"));
  return log;
}

function hold(log, notes) {
  const note = /glacier-purge\/\S+\n(\d+)\n(\S{44})\nplan ([0-9a-f]{64})\ntime \S+\n\n(?:-----BEGIN SSH SIGNATURE-----\n[^-]*-----END SSH SIGNATURE-----\n)?\n?/y;
  while (note.lastIndex < notes.length) {
    const found = note.exec(notes);
    expect(found, "no file of anchors");
    expect(found[3] === log.digest, "an anchor of a log that is gone, or was replaced");
    log.vouched("the anchor", Number(found[1]) - 1, Buffer.from(found[2], "base64").toString("hex"));
  }
}

function checkLog(file, digest, records, anchor) {
  const log = new Log(digest, records, null);
  log.segment(readFileSync(file), 1, true);
  if (anchor) {
    const [seq, hash] = anchor.split(":");
    log.vouched("the anchor", Number(seq), hash);
  }
  return log;
}

function verdict(check) {
  try {
    const log = check();
    const { finished, seq: lines, outcomes, prev: head } = log;
    return { verdict: "sound", finished, lines, outcomes, head };
  } catch (damage) {
    if (!(damage instanceof Damage)) return { verdict: "damaged", record: null, why: String(damage) };
    return { verdict: "damaged", record: damage.record, why: damage.message };
  }
}

function vectors(folder) {
  const { plan, records, vectors } = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  const each = Object.entries(vectors).map(([name, { anchor }]) => {
    return [name, verdict(() => checkLog(join(folder, `${name}.jsonl`), plan, records, anchor))];
  });
  return { verdict: "sound", vectors: Object.fromEntries(each) };
}

const [first, second] = process.argv.slice(2);
const answer = first === "--vectors" ? vectors(second) : verdict(() => checkFolder(first, second));
process.stdout.write(`${JSON.stringify(answer)}\n`);
process.exitCode = answer.verdict === "sound" ? 0 : 4;
