// What the server says about itself in its OpenAPI document, read for the tests of bad input: every operation,
// a body that it would take, and values that a field would not.

interface Schema {
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly examples?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

export interface Operation {
  readonly method: string;
  /** With {id} in it. */
  readonly path: string;
  readonly parameters: readonly { readonly in: string; readonly name: string }[];
  /** Of the body; null: it takes none. */
  readonly schema: Schema | null;
  readonly isBodyRequired: boolean;
}

interface Documented {
  readonly parameters?: Operation["parameters"];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>>;
  };
}

export interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Documented>>>>;
}

export function readOperations({ components, paths }: OpenApi): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody }]) => {
      const ref = requestBody?.content["application/json"]?.schema.$ref.split("/").at(-1);
      const schema = ref === undefined ? null : components.schemas[ref];
      if (schema === undefined) throw new Error(`${method} ${path}: there is no schema ${ref}`);
      return {
        method: method.toUpperCase(),
        path,
        parameters: parameters ?? [],
        schema,
        isBodyRequired: requestBody?.required ?? false,
      };
    }),
  );
}

/** Its path with the id of an object that is there. */
export function address({ path }: Operation): string {
  return path.replace("{id}", "1");
}

/** A body that would be taken: what it must hold, or else the first thing that it may. */
export function goodBody({ path, schema }: Operation): Record<string, unknown> {
  const fields = Object.entries(schema?.properties ?? {});
  const needed = fields.filter(([name]) => schema?.required?.includes(name));
  const held = needed.length > 0 ? needed : fields.slice(0, 1);
  return Object.fromEntries(
    held.map(([name, { examples }]) => {
      if (examples === undefined) throw new Error(`${path}: there is no example of ${name}`);
      return [name, examples[0]];
    }),
  );
}

/** Values that a field with this schema does not take. */
export function wrongValues(schema: Schema): unknown[] {
  const never = [null, true, {}, ["x"]];
  if (schema.anyOf !== undefined) {
    // An id: a text or a number.
    const [text] = schema.anyOf.filter(({ type }) => type === "string");
    const empty = (text?.minLength ?? 0) > 0 ? [""] : [];
    return [...never, ...empty, -1, 1.5, 2 ** 53, "x".repeat((text?.maxLength ?? 0) + 1)];
  }
  if (schema.type === "integer") {
    return [...never, "5", "", 1.5, 2 ** 53, 1e300, (schema.minimum ?? 0) - 1];
  }
  if (schema.type !== "string") throw new Error(`what is wrong for a field of ${schema.type}?`);
  // A text of no given length is one of a few words.
  const { maxLength } = schema;
  const words = maxLength === undefined ? ["WOOD", "x".repeat(9999)] : ["x".repeat(maxLength + 1)];
  return [...never, ...words, "", 1];
}
