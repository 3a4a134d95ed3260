// Acts the steps on standard input out with AWS's SDK for JavaScript and says on standard output what came of each.
//
// Runs without this project: node by_javascript.mjs ENDPOINT-URL FOLDER-OF-NODE_MODULES.  Beside the steps it pages
// through more vaults, jobs and uploads than a page holds, asking for a thousand at a time, as the SDK's own documentation
// long told people to.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const [endpoint, folder] = process.argv.slice(2);
const sdk = createRequire(`${folder}/`)("@aws-sdk/client-glacier");
const MEBIBYTE = 2 ** 20;
const VAULTS = 25;
const JOBS = 55;

function newClient(credentials = { accessKeyId: "witness", secretAccessKey: "witness" }) {
  return new sdk.GlacierClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
}

function sha256(...pieces) {
  const hash = createHash("sha256");
  pieces.forEach((piece) => hash.update(piece));
  return hash.digest();
}

// The tree hash as the guide defines it, so that the SDK's own is not held against itself.
function treeHash(body) {
  let row = [];
  for (let start = 0; start === 0 || start < body.length; start += MEBIBYTE) {
    row.push(sha256(body.subarray(start, start + MEBIBYTE)));
  }
  while (row.length > 1) {
    row = row.flatMap((left, at) => (at % 2 ? [] : at + 1 < row.length ? [sha256(left, row[at + 1])] : [left]));
  }
  return row[0].toString("hex");
}

// A parameter with everything in it that was kept or has to be made; see steps.py.
function filled(value, kept) {
  if (Array.isArray(value)) return value.map((item) => filled(item, kept));
  if (value === null || typeof value !== "object") return value;
  if ("$kept" in value) return kept[value.$kept];
  if ("$bytes" in value) return Buffer.from(value.$bytes.repeat(value.times));
  if ("$tree_hash" in value) return treeHash(filled(value.$tree_hash, kept));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, kept)]));
}

function send(client, operation, parameters) {
  return client.send(new sdk[`${operation}Command`](parameters));
}

async function act(client, step, kept) {
  try {
    const { $metadata, body, ...reply } = await send(client, step.operation, filled(step.parameters, kept));
    const output = body === undefined ? null : (await text(body)).slice(0, 2000);
    for (const [name, member] of Object.entries(step.keep)) kept[name] = reply[member];
    const problems = $metadata.requestId ? [] : ["no request id"];
    return { operation: step.operation, status: $metadata.httpStatusCode, reply, output, problems };
  } catch (error) {
    return { operation: step.operation, reply: {}, output: null, problems: [`${error.name}: ${error.message}`] };
  }
}

// What the SDK makes of a refusal: the class, the service's own code and type, the status, the id of the request.
async function refusal(client, operation, parameters) {
  try {
    await send(client, operation, parameters);
    return { operation, code: "none" };
  } catch (error) {
    return {
      operation,
      code: error.code ?? error.name,
      raised: error.constructor.name,
      type: error.type,
      message: error.message,
      status: error.$metadata?.httpStatusCode,
      hasRequestId: Boolean(error.$metadata?.requestId),
    };
  }
}

async function stepClock(seconds) {
  const body = JSON.stringify({ step_seconds: seconds });
  const answer = await fetch(`${endpoint}/_simulator/clock`, { method: "POST", body });
  if (!answer.ok) throw new Error(`the simulator's clock: ${answer.status}`);
}

// The sizes of all pages, a thousand being asked for at a time, and the names on them.
async function pages(paginator, parameters, member, name) {
  const sizes = [];
  const names = new Set();
  for await (const page of paginator({ client: newClient(), pageSize: 1000 }, { accountId: "-", ...parameters })) {
    sizes.push(page[member].length);
    page[member].forEach((item) => names.add(item[name]));
  }
  return { sizes, names: names.size };
}

async function allPages(vaultName) {
  const client = newClient();
  for (let number = 0; number < VAULTS; number += 1) {
    await client.send(new sdk.CreateVaultCommand({ vaultName: `page-${String(number).padStart(2, "0")}` }));
  }
  for (let number = 0; number < JOBS; number += 1) {
    await send(client, "InitiateJob", { vaultName, jobParameters: { Type: "inventory-retrieval" } });
    await send(client, "InitiateMultipartUpload", { vaultName, partSize: String(MEBIBYTE) });
  }
  return {
    vaults: await pages(sdk.paginateListVaults, {}, "VaultList", "VaultName"),
    jobs: await pages(sdk.paginateListJobs, { vaultName }, "JobList", "JobId"),
    uploads: await pages(sdk.paginateListMultipartUploads, { vaultName }, "UploadsList", "MultipartUploadId"),
  };
}

async function waiters() {
  const waited = { client: newClient(), maxWaitTime: 5, minDelay: 1, maxDelay: 1 };
  const there = await sdk.waitUntilVaultExists(waited, { accountId: "-", vaultName: "page-00" });
  const gone = await sdk.waitUntilVaultNotExists(waited, { accountId: "-", vaultName: "nowhere" });
  return [there.state, gone.state];
}

// What two are told who may not sign: one with another secret, one nobody knows.
function strangers() {
  const pairs = [["witness", "wrong"], ["nobody", "witness"]];
  const clients = pairs.map(([accessKeyId, secretAccessKey]) => newClient({ accessKeyId, secretAccessKey }));
  return Promise.all(clients.map((client) => refusal(client, "ListVaults", {})));
}

const steps = JSON.parse(await text(process.stdin));
const kept = {};
const results = [];
const refusals = [];
for (const step of steps) {
  if ("step_seconds" in step) await stepClock(step.step_seconds);
  else if ("refused" in step) {
    const parameters = filled(step.parameters, kept);
    refusals.push({ wanted: step.refused, ...(await refusal(newClient(), step.operation, parameters)) });
  } else results.push(await act(newClient(), step, kept));
}
const operations = Object.keys(sdk).filter((name) => /^[A-Z]\w+Command$/.test(name));
process.stdout.write(
  JSON.stringify({
    operations: operations.map((name) => name.slice(0, -"Command".length)).sort(),
    results,
    refusals,
    pages: await allPages("photos"),
    waiters: await waiters(),
    strangers: await strangers(),
    described: await act(newClient(), { operation: "DescribeVault", parameters: { vaultName: "page-00" }, keep: {} }, {}),
  }),
);
