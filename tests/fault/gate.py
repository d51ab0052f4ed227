"""A TCP gate between a daemon and its store that knows enough of MySQL's protocol to spoil it at the worst moment.

A gate listens on a loopback port and passes what it gets to the store. Meanwhile it can

  cut      close all connections and refuse new ones
  mute     hold back what goes to the server (c2s), comes from it (s2c), or both; later let it through or cut
  delay    hold back each piece for a while
  trap     wait for a statement that matches, then 'drop_answer' (let the server do it, swallow the answer, cut) or
           'hold' (keep the statement while its client waits and dies, and let it through afterwards)

Gates run on one thread with an event loop of its own; all methods of Gates may be called from any thread and return
when they have been done. Plain connections only: what TLS hides cannot be trapped.
"""

import asyncio
import re
import struct
import threading

COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE = 0x03, 0x16, 0x17
PIECE = 1 << 16
# Long statements are judged by their ends: a batch says at its end that it commits.
JUDGED = 4000


class Trap:
    """What happens to the next statement that matches; `done` counts what it has caught."""

    def __init__(self, kind, pattern, times=1, hold_for=20.0, late=1.0):
        self.kind = kind
        self.pattern = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        self.times = times
        self.hold_for = hold_for  # seconds after which a held statement goes on although its client still waits
        self.late = late  # seconds between the client's end and the statement's
        self.done = 0
        self.caught = []

    def takes(self, text):
        if self.done >= self.times or not self.pattern.search(text):
            return False
        self.done += 1
        self.caught.append(text[:120])
        return True


class Link:
    """One connection through a gate."""

    def __init__(self, gate, client, server):
        self.gate = gate
        self.client_reader, self.client = client
        self.server_reader, self.server = server
        self.prepared = {}
        self.preparing = None
        self.swallow = False
        self.holding = False

    def abort(self):
        for writer in (self.client, self.server):
            writer.transport.abort()

    async def run(self):
        pumps = [asyncio.ensure_future(self.to_server()), asyncio.ensure_future(self.to_client())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            # A held statement outlives its client: the other pump must not end the link.
            if self.holding:
                await pumps[0]
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.abort()

    async def to_server(self):
        while True:
            header = await self.client_reader.readexactly(4)
            size = header[0] | header[1] << 8 | header[2] << 16
            payload = await self.client_reader.readexactly(size)
            trap = None
            if header[3] == 0 and size > 0:
                trap = self.gate.trap_for(self.statement(payload))
            await self.gate.passage("c2s")
            if trap is not None and trap.kind == "hold":
                await self.hold(trap, header + payload)
                return
            self.swallow = trap is not None
            self.server.write(header + payload)
            await self.server.drain()

    def statement(self, payload):
        command = payload[0]
        if command in (COM_QUERY, COM_STMT_PREPARE):
            text = payload[1:]
            if len(text) > 2 * JUDGED:
                text = text[:JUDGED] + b" ... " + text[-JUDGED:]
            text = text.decode("utf-8", "replace")
            if command == COM_QUERY:
                return text
            self.preparing = text
        elif command == COM_STMT_EXECUTE and len(payload) >= 5:
            return self.prepared.get(struct.unpack_from("<I", payload, 1)[0], "")
        return ""

    async def hold(self, trap, packet):
        """Keeps the statement until its client is gone, and then `late` seconds more."""
        self.holding = True
        gone = asyncio.ensure_future(self.client_reader.read())
        await asyncio.wait([gone], timeout=trap.hold_for)
        gone.cancel()
        await asyncio.sleep(trap.late)
        self.server.write(packet)
        await self.server.drain()
        try:
            await asyncio.wait_for(self.server_done.wait(), 5)
        except asyncio.TimeoutError:
            pass

    async def to_client(self):
        self.server_done = asyncio.Event()
        while True:
            data = await self.server_reader.read(PIECE)
            if not data:
                return
            if self.holding:
                self.server_done.set()
                continue
            if self.swallow:
                self.abort()
                return
            if self.preparing is not None and len(data) >= 9:
                if data[4] == 0:
                    self.prepared[struct.unpack_from("<I", data, 5)[0]] = self.preparing
                self.preparing = None
            await self.gate.passage("s2c")
            self.client.write(data)
            await self.client.drain()


class Gate:
    """One listening port. On the loop's thread only."""

    def __init__(self, port, target):
        self.port = port
        self.target = target
        self.links = set()
        self.tasks = set()
        self.open = {"c2s": asyncio.Event(), "s2c": asyncio.Event()}
        for event in self.open.values():
            event.set()
        self.delay = 0.0
        self.traps = []
        self.listener = None

    def trap_for(self, text):
        if not text:
            return None
        return next((trap for trap in self.traps if trap.takes(text)), None)

    async def passage(self, direction):
        if self.delay > 0:
            await asyncio.sleep(self.delay)
        await self.open[direction].wait()

    async def listen(self):
        if self.listener is None:
            self.listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port, reuse_address=True, backlog=256)
            self.port = self.listener.sockets[0].getsockname()[1]

    async def refuse(self):
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        self.abort()

    def abort(self):
        for link in list(self.links):
            if not link.holding:
                link.abort()

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        link = None
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target)
            link = Link(self, (reader, writer), server)
            self.links.add(link)
            await link.run()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.links.discard(link)
            self.tasks.discard(task)
            writer.transport.abort()


class Gates:
    """The thread and its gates, by name."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        # A pump that meets a reset connection is nothing to report.
        self.loop.set_exception_handler(lambda loop, context: None)
        self.gates = {}
        self.thread = threading.Thread(target=self.loop.run_forever, name="gates", daemon=True)
        self.thread.start()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def add(self, name, target):
        """Opens a gate to a port of this host and returns its own port."""

        async def make():
            gate = Gate(0, target)
            await gate.listen()
            self.gates[name] = gate
            return gate.port

        return self._do(make())

    def cut(self, name, refuse=True):
        async def cut():
            gate = self.gates[name]
            if refuse:
                await gate.refuse()
            else:
                gate.abort()

        self._do(cut())

    def restore(self, name):
        """Takes connections again, and lets through all that was muted or delayed."""

        async def restore():
            gate = self.gates[name]
            gate.delay = 0.0
            for event in gate.open.values():
                event.set()
            await gate.listen()

        self._do(restore())

    def mute(self, name, *directions):
        async def mute():
            for direction in directions:
                self.gates[name].open[direction].clear()

        self._do(mute())

    def delay(self, name, seconds):
        async def delay():
            self.gates[name].delay = seconds

        self._do(delay())

    def trap(self, name, trap):
        async def arm():
            self.gates[name].traps.append(trap)

        self._do(arm())

    def disarm(self, name, trap):
        async def disarm():
            if trap in self.gates[name].traps:
                self.gates[name].traps.remove(trap)

        self._do(disarm())

    def retarget(self, target):
        """Leads all gates to another port; connections that are open are closed."""

        async def retarget():
            for gate in self.gates.values():
                gate.target = target
                gate.abort()

        self._do(retarget())

    def count(self, name):
        async def count():
            return len(self.gates[name].links)

        return self._do(count())

    def close(self):
        async def close():
            for gate in self.gates.values():
                await gate.refuse()
                for link in list(gate.links):
                    link.abort()
                for task in list(gate.tasks):
                    task.cancel()

        self._do(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()
