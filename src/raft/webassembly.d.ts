// The part of the WebAssembly JavaScript API that the core needs. TypeScript declares it only together
// with the browser's DOM, which this program does not have.

declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer;
    /** By pages of 64 KiB; throws a RangeError where the system does not promise so much. */
    grow(pages: number): number;
  }
  interface Module {}
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  interface ImportDescriptor {
    readonly module: string;
    readonly name: string;
    readonly kind: string;
  }
  type Imports = Record<string, Record<string, (...args: never[]) => unknown>>;
  const Module: {
    new (bytes: Uint8Array): Module;
    imports(module: Module): ImportDescriptor[];
  };
  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports: Imports): Promise<Instance>;
}
