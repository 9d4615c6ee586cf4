"""gdb helper for the fibers of src/loop/fiber.c:  gdb -x tools/gdb_fibers.py -p PID   (or with a core file)

  info fibers         one line for each parked fiber: number, name, where it waits
  fiber N             its calls, innermost first
  fiber all           the calls of every one

A parked fiber is nothing but the registers that Boost.Context pushed on its stack. We compile with frame pointers, so the calls
are found by following them, which works in a core file as well.
"""
import gdb

# offsets in what jump_fcontext pushes (x86-64 System V): mxcsr/x87, r12-r15, rbx, rbp, return address
RBP, RIP, MAX_FRAMES = 0x30, 0x38, 64
STATES = {0: "ready", 1: "running", 2: "parked", 3: "ended"}


def word(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def fibers():
    head = gdb.parse_and_eval("&fibers.all")
    fiber = gdb.lookup_type("struct fiber")
    offset = next(f.bitpos // 8 for f in fiber.fields() if f.name == "node")
    node = head.dereference()["next"]
    while node != 0 and node != head:
        yield gdb.Value(int(node) - offset).cast(fiber.pointer()).dereference()
        node = node.dereference()["next"]


def frames(fiber):
    """Return addresses of a parked fiber, innermost first."""
    context = int(fiber["context"])
    low, high = int(fiber["stack"]), int(fiber.address)
    if not low <= context < high:
        return
    yield word(context + RIP)
    rbp = word(context + RBP)
    for _ in range(MAX_FRAMES):
        if not low <= rbp < high - 16:
            return
        yield word(rbp + 8)
        above = word(rbp)
        if above <= rbp:
            return
        rbp = above


def describe(pc):
    where = gdb.find_pc_line(pc - 1)
    block = gdb.block_for_pc(pc - 1)
    while block is not None and block.function is None:
        block = block.superblock
    name = block.function.print_name if block is not None else "?"
    line = f"{where.symtab.filename}:{where.line}" if where.symtab else hex(pc)
    return name, line


class InfoFibers(gdb.Command):
    """Lists the fibers of the process."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        # the innermost calls are those of loop/ itself: show the first that is not
        for number, fiber in enumerate(fibers(), 1):
            state = STATES.get(int(fiber["state"]), "?")
            calls = [describe(pc) for pc in frames(fiber)] if state in ("parked", "ready") else []
            shown = next((c for c in calls if "/loop/" not in c[1] and c[0] != "?"), calls[0] if calls else ("", ""))
            print(f"{number:4} {state:8} {fiber['name'].string():24} {shown[0]} {shown[1]}")


class Fiber(gdb.Command):
    """fiber N | all: the calls of a fiber."""

    def __init__(self):
        super().__init__("fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = None if argument.strip() == "all" else int(argument)
        for number, fiber in enumerate(fibers(), 1):
            if wanted not in (None, number):
                continue
            print(f"fiber {number} {fiber['name'].string()}")
            if int(fiber["state"]) == 1:
                print("  running: see the thread's own backtrace")
                continue
            for depth, pc in enumerate(frames(fiber)):
                name, line = describe(pc)
                print(f"  #{depth} {name} ({line})")
                if name == "fiber_main":
                    break


InfoFibers()
Fiber()
