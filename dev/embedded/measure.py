#!/usr/bin/env python3
"""Prints what the codec takes on a microcontroller: the bytes of its code and constants, and the largest
stack of each program.

    python3 dev/embedded/measure.py

Bytes are the difference to a program that only allocates. The stack is the sum of the frames along the
deepest chain of calls: the sizes of the frames are the compiler's (`-Zemit-stack-sizes`, which a stable
compiler has under RUSTC_BOOTSTRAP), the calls are read from the machine code. It needs llvm-size,
llvm-readobj and llvm-objdump, and the target: `rustup target add thumbv7em-none-eabihf`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TARGET = "thumbv7em-none-eabihf"
FOLDER = Path(__file__).resolve().parent
TOOLS = ["llvm-size", "llvm-readobj", "llvm-objdump"]
PROGRAMS = {
    "decode": "decodes chunks of 64 bytes",
    "encode": "encodes events into one buffer",
}


def run(*command, **environment):
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def build(level):
    """Returns the folder of the programs, optimised to this level."""
    folder = FOLDER.parent.parent / "target" / "embedded" / f"opt-{level}"
    run(
        "cargo", "build", "--quiet", "--release", "--locked", "--bins",
        "--manifest-path", str(FOLDER / "Cargo.toml"),
        "--target", TARGET, "--target-dir", str(folder),
        RUSTC_BOOTSTRAP="1",
        RUSTFLAGS="-Zemit-stack-sizes",
        CARGO_PROFILE_RELEASE_OPT_LEVEL=level,
    )  # fmt: skip
    return folder / TARGET / "release"


def code_size(program):
    """Returns the bytes of code and constants."""
    sections = re.findall(r"^(\.text|\.rodata)\s+(\d+)", run("llvm-size", "-A", program), re.M)
    return sum(int(size) for _, size in sections)


def frames(program):
    """Returns the size of the stack frame of each function that the compiler made."""
    listed = run("llvm-readobj", "--demangle", "--stack-sizes", program)
    entries = re.findall(r"Functions: \[(.*)\]\s+Size: (0x[0-9A-Fa-f]+|\d+)", listed)
    sizes = {}
    for names, size in entries:
        # Functions with the same code have several names, and a name may have a comma.
        for name in [names, *names.split(", ")]:
            sizes[name] = max(int(size, 0), sizes.get(name, 0))
    return sizes


def calls(program):
    """Returns the functions that each function calls, and those that call by an address."""
    listed = run("llvm-objdump", "--demangle", "--disassemble", "--no-show-raw-insn", program)
    called, unknown, caller = defaultdict(set), set(), None
    for line in listed.splitlines():
        # `$d` and the like mark constants within a function.
        if function := re.match(r"[0-9a-f]+ <([^$].*)>:$", line):
            caller = function[1]
        elif call := re.search(r"\sb[a-z.]*\s+(?:#-?0x[0-9a-f]+|0x[0-9a-f]+) <(.*)>", line):
            callee = re.sub(r"\+0x[0-9a-f]+$", "", call[1])
            if callee != caller:
                called[caller].add(callee)
        elif re.search(r"\sblx\s+r\d", line):
            unknown.add(caller)
    return called, unknown


def deepest(function, called, sizes, above=()):
    """Returns the chain of calls from `function` down that takes the most stack."""
    chains = (
        deepest(callee, called, sizes, (*above, function))
        for callee in sorted(called[function])
        if callee not in above
    )
    below = max(chains, key=lambda chain: sum(size for _, size in chain), default=[])
    return [(function, sizes.get(function, 0)), *below]


def main():
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        sys.exit(f"install LLVM's tools: there is no {', '.join(missing)}")
    if not Path(run("rustc", "--print", "target-libdir", "--target", TARGET).strip()).exists():
        sys.exit(f"the target is not installed: rustup target add {TARGET}")

    folders = {level: build(level) for level in ("s", "3")}
    print("| program | code and constants, bytes | stack, bytes |")
    print("|---|--:|--:|")
    for name, what in PROGRAMS.items():
        size, stack = {}, {}
        for level, folder in folders.items():
            program = str(folder / name)
            size[level] = code_size(program) - code_size(str(folder / "empty"))
            called, _ = calls(program)
            chain = deepest("main", called, frames(program))
            stack[level] = sum(size for _, size in chain)
        print(f"| {what} | {size['s']:,} ({size['3']:,}) | {stack['s']:,} ({stack['3']:,}) |")

    for name in PROGRAMS:
        program = str(folders["s"] / name)
        called, unknown = calls(program)
        sizes = frames(program)
        print(f"\nThe deepest calls of {name}, with opt-level s:\n")
        for function, size in deepest("main", called, sizes):
            notes = " (calls by address are not followed)" if function in unknown else ""
            print(f"{size:6} {function}{notes}")


if __name__ == "__main__":
    main()
