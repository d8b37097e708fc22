// As `raft3d bench-echo`, on the web framework that Raft3D uses: what the framework costs.
import fastify from "fastify";

const [host, port] = process.argv[2].split(":");
const app = fastify();
const constant = { id: 1, company: "Creality", model: "Ender 3 V2" };
app.get("/", () => constant);
app.post("/api/v1/printers", (request, reply) => reply.code(201).send(request.body));
process.once("SIGTERM", () => void app.close());
await app.listen({ host, port: Number(port) });
