// Which command is carried out where. Modules are loaded when they are needed: a client that asks
// one question must not wait for the server, the core and the logger to be read.
//
// Both switches are exhaustive: a command that is added to the table and not here does not compile.

import { unreachable } from "../base/assert.ts";
import type { CLIENTS } from "./options/client-commands.ts";
import type { Invocation } from "./options/resolve.ts";
import { clientFor, type Session } from "./session.ts";

/** Resolves with the exit code. */
export async function run(invocation: Invocation, session: Session): Promise<number> {
  switch (invocation.command) {
    case "serve": {
      const { serve } = await import("./serve.ts");
      const { serveOptions } = await import("./options/resolve.ts");
      return serve(serveOptions(invocation.options));
    }
    case "up": {
      const { up } = await import("./local/up.ts");
      return up(session, invocation.options);
    }
    case "demo": {
      const { demo } = await import("./local/demo.ts");
      return demo(session, invocation.options);
    }
    case "bench": {
      const { bench } = await import("./bench/bench.ts");
      return bench(session, invocation.options);
    }
    case "bench-echo": {
      const { serveEcho } = await import("../env/node/echo-server.ts");
      return serveEcho(invocation.options.http);
    }
    case "events replay": {
      const { replay } = await import("./history/replay-command.ts");
      return replay(session, invocation.options);
    }
    case "wal dump": {
      const { dumpWal } = await import("./offline/wal.ts");
      return dumpWal(session, invocation.options);
    }
    case "wal verify": {
      const { verifyWal } = await import("./offline/wal.ts");
      return verifyWal(session, invocation.options);
    }
    case "snapshot inspect": {
      const { inspectSnapshots } = await import("./offline/snapshot.ts");
      return inspectSnapshots(session, invocation.operands[0], invocation.options);
    }
    case "cluster status":
    case "printers list":
    case "printers get":
    case "printers create":
    case "printers update":
    case "printers delete":
    case "filaments list":
    case "filaments get":
    case "filaments create":
    case "filaments update":
    case "filaments delete":
    case "jobs list":
    case "jobs get":
    case "jobs create":
    case "jobs start":
    case "jobs done":
    case "jobs cancel":
    case "events tail":
      await talk(invocation, session);
      return 0;
    default:
      return unreachable(invocation);
  }
}

/** What needs nothing but a cluster to talk to. */
type Talk = Extract<Invocation, { readonly command: (typeof CLIENTS)[number] }>;

/** The commands that ask a cluster something and print the answer. */
async function talk(invocation: Talk, session: Session): Promise<void> {
  const client = clientFor(session, invocation.options);
  const { showStatus } = await import("./client/cluster.ts");
  const { tail } = await import("./client/events-tail.ts");
  const { FILAMENTS, JOBS, PRINTERS } = await import("./client/collections.ts");
  const farm = await import("./client/farm.ts");
  switch (invocation.command) {
    case "cluster status":
      return showStatus(session, client, invocation.options);
    case "events tail":
      return tail(session, client, invocation.options);
    case "printers list":
      return farm.list(session, client, PRINTERS, invocation.options);
    case "filaments list":
      return farm.list(session, client, FILAMENTS, invocation.options);
    case "jobs list": {
      const { options } = invocation;
      const { filament: filament_id, printer: printer_id, status } = options;
      const filters = { status, printer_id, filament_id };
      return farm.list(session, client, JOBS, { ...options, filters });
    }
    case "printers get":
      return farm.get(session, client, PRINTERS, invocation.operands[0], invocation.options);
    case "filaments get":
      return farm.get(session, client, FILAMENTS, invocation.operands[0], invocation.options);
    case "jobs get":
      return farm.get(session, client, JOBS, invocation.operands[0], invocation.options);
    case "printers create": {
      const { company, id, model } = invocation.options;
      const fields = { id: farm.idValue(id), company, model };
      return farm.create(session, client, PRINTERS, fields, invocation.options);
    }
    case "filaments create": {
      const fields = { id: farm.idValue(invocation.options.id), ...spool(invocation.options) };
      return farm.create(session, client, FILAMENTS, fields, invocation.options);
    }
    case "jobs create": {
      const { filament, filepath, id, printer, weight } = invocation.options;
      const fields = {
        id: farm.idValue(id),
        printer_id: farm.idValue(printer),
        filament_id: farm.idValue(filament),
        filepath,
        print_weight_in_grams: weight,
      };
      return farm.create(session, client, JOBS, fields, invocation.options);
    }
    case "printers update": {
      const { company, model } = invocation.options;
      const id = invocation.operands[0];
      return farm.update(session, client, PRINTERS, id, { company, model }, invocation.options);
    }
    case "filaments update": {
      const id = invocation.operands[0];
      const fields = spool(invocation.options);
      return farm.update(session, client, FILAMENTS, id, fields, invocation.options);
    }
    case "printers delete":
      return farm.remove(session, client, PRINTERS, invocation.operands[0], invocation.options);
    case "filaments delete":
      return farm.remove(session, client, FILAMENTS, invocation.operands[0], invocation.options);
    case "jobs start":
      return farm.moveJob(session, client, invocation.operands[0], "running", invocation.options);
    case "jobs done":
      return farm.moveJob(session, client, invocation.operands[0], "done", invocation.options);
    case "jobs cancel":
      return farm.moveJob(session, client, invocation.operands[0], "canceled", invocation.options);
    default:
      return unreachable(invocation);
  }
}

/** The fields of a filament by the names of the API. */
function spool(options: {
  readonly type: string | null;
  readonly color: string | null;
  readonly totalWeight: number | null;
  readonly remainingWeight: number | null;
}) {
  return {
    type: options.type,
    color: options.color,
    total_weight_in_grams: options.totalWeight,
    remaining_weight_in_grams: options.remainingWeight,
  };
}
