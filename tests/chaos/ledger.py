# SPDX-License-Identifier: Apache-2.0
"""The books: what devices hold for acknowledged against what is in the database, each time for all of the run.

An acknowledged event must be in its own company's schema, of its own device, once, and in no other schema; a numbered finding
must be there once even when its acknowledgement was lost; the count that the console shows must be that of the rows; and
companies without traffic must have the same rows as before, to the byte. Of the real agent every number that its journal has
dropped must be in the database, and every file that it has taken away must have been reported once.
"""
import time

QUIET_TENANTS = "quiet-%"
NOT_HASHED = ("seen",)  # its flush of the last minute may come after the devices have ended


class Result:
    def __init__(self):
        self.acknowledged = self.lost = self.doubled = self.foreign = 0
        self.problems = []

    def add(self, name, n, sentence):
        if n:
            setattr(self, name, getattr(self, name) + n)
            self.problems.append(sentence)


class Ledger:
    def __init__(self, world):
        self.world, self.cell = world, world.cell
        self.acked = {}      # event id -> (tenant, device)
        self.offsets = {}    # of the record files
        self.real = {}       # epoch -> highest number that the real agent's journal has dropped
        self.counted = 0
        self.numbers = {}    # tenant -> number of its schema
        self.quiet_columns, self.quiet_before = {}, {}

    def begin(self):
        self.numbers = {t: int(n) for t, n in self.cell.sql("SELECT id, no FROM control.tenant WHERE status = 'active'")}
        for tenant, no in self.numbers.items():
            if tenant.startswith(QUIET_TENANTS.rstrip("%")):
                rows = self.cell.sql("SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) "
                                     f"FROM information_schema.columns WHERE table_schema = 't_{no}' GROUP BY 1 ORDER BY 1")
                self.quiet_columns[tenant] = {t: c for t, c in rows if t not in NOT_HASHED}
        self.quiet_before = self.quiet()
        if not any(n for n, _ in self.quiet_before.values()):
            raise AssertionError("the quiet companies have no rows to be touched")
        self.counted = self.total()

    def quiet(self):
        """(tenant, table) -> (rows, hash), of the columns that were there at the beginning."""
        parts = []
        for tenant, tables in self.quiet_columns.items():
            for table, columns in tables.items():
                parts.append(f"SELECT '{tenant}', '{table}', count(*), md5(coalesce(string_agg(h, '' ORDER BY h), '')) FROM "
                             f"(SELECT md5(ROW({columns})::text) AS h FROM t_{self.numbers[tenant]}.{table}) AS x")
        return {(t, name): (int(n), h) for t, name, n, h in self.cell.sql(" UNION ALL ".join(parts))} if parts else {}

    # ---- what the devices hold

    def read_records(self):
        damaged = 0
        for fleet in self.world.fleets:
            if not fleet.record.exists():
                continue
            with open(fleet.record, "rb") as f:
                f.seek(self.offsets.get(fleet.tenant, 0))
                text = f.read()
            whole = text.rfind(b"\n") + 1
            self.offsets[fleet.tenant] = self.offsets.get(fleet.tenant, 0) + whole
            for line in text[:whole].decode().splitlines():
                words = line.split()
                if len(words) == 5 and len(words[3]) == 36:
                    self.acked[words[3]] = (fleet.tenant, words[0])
                else:
                    damaged += 1
        return damaged

    def read_journal(self):
        if not self.world.computer:
            return
        j = self.world.computer.journal()
        if j:
            self.real[j["epoch"]] = max(self.real.get(j["epoch"], 0), j["head"] - j["waiting"])

    def total(self):
        self.read_records()
        self.read_journal()
        return len(self.acked) + sum(self.real.values())

    # ---- the comparison

    def check(self):
        r = Result()
        total = self.total()
        if not self.numbers:
            raise AssertionError("begin() was not called")
        damaged = self.read_records()
        r.acknowledged, self.counted = total - self.counted, total
        if damaged:
            r.problems.append(f"{damaged} lines of a record are damaged")
        self._events(r)
        self._findings(r)
        if self.world.computer:
            self._real(r)
        self._quiet(r)
        return r

    def _events(self, r):
        where = {}  # id -> [(tenant, device)]
        for tenant, no in self.numbers.items():
            for ident, device in self.cell.sql(f"SELECT id, device_id FROM t_{no}.event"):
                where.setdefault(ident, []).append((tenant, device))
        wanted = self.acked.items()
        missing = [i for i, owner in wanted if owner not in where.get(i, [])]
        r.add("lost", len(missing), f"{len(missing)} acknowledged events are not in the database, e.g. {missing[:1]}")
        twice = [i for i, places in where.items() if len(places) > 1]
        r.add("doubled", len(twice), f"{len(twice)} events are in the database more than once, e.g. {twice[:1]}")
        strange = [i for i, owner in wanted if any(place != owner for place in where.get(i, []))]
        r.add("foreign", len(strange), f"{len(strange)} events are with another company or device, e.g. {strange[:1]}")
        owners = {device: tenant for tenant, device in self.acked.values()}
        strange = [i for i, places in where.items() for t, d in places if owners.get(d, t) != t]
        r.add("foreign", len(strange), f"{len(strange)} rows of a company are of a device of another one, e.g. {strange[:1]}")

    def _findings(self, r):
        for fleet in self.world.fleets:
            t = f"t_{self.numbers[fleet.tenant]}"
            twice = self.cell.sql(f"SELECT device_id, object, count(*) FROM {t}.detection WHERE object LIKE '/numbered/%' "
                                  "GROUP BY 1, 2 HAVING count(*) > 1")
            r.add("doubled", len(twice), f"{len(twice)} numbered findings of {fleet.tenant} are there more than once, e.g. {twice[:1]}")
            apart = self.cell.sql(f"SELECT e.id FROM {t}.event e LEFT JOIN {t}.detection d ON d.id = e.id AND d.device_id = e.device_id "
                                  "WHERE e.kind = 'detection' AND d.id IS NULL")
            r.add("lost", len(apart), f"{len(apart)} findings of {fleet.tenant} have a record but no row, e.g. {apart[:1]}")
            wrong = self.cell.sql(f"SELECT d.id, d.unresolved, count(x.id) FROM {t}.device d LEFT JOIN {t}.detection x ON x.device_id = d.id "
                                  "AND x.resolved_at IS NULL GROUP BY d.id HAVING d.unresolved <> count(x.id)")
            r.add("doubled", len(wrong), f"{len(wrong)} devices of {fleet.tenant} count their findings wrongly, e.g. {wrong[:1]}")
            behind = self.cell.sql(f"SELECT e.device_id, e.epoch FROM {t}.event e LEFT JOIN {t}.event_mark m ON m.device_id = e.device_id "
                                   "AND m.epoch = e.epoch GROUP BY 1, 2 HAVING max(m.mark) IS NULL")
            r.add("lost", len(behind), f"{len(behind)} journals of {fleet.tenant} have no mark, e.g. {behind[:1]}")

    def _real(self, r):
        computer = self.world.computer
        device, t = computer.agent.device_id(), f"t_{self.numbers[computer.tenant]}"
        handled = [n for n in range(1, computer.number) if not computer.file(n).exists()]
        rows = self.cell.sql("SELECT epoch, seq, kind = 'gap', body ->> 'first', body ->> 'last' "
                             f"FROM {t}.event WHERE device_id = '{device}'")
        known = {(e, int(s)) for e, s, *_ in rows}
        for epoch, _, gap, first, last in rows:
            if gap == "t":
                known |= {(epoch, n) for n in range(int(first), int(last) + 1)}
        missing = [(e, n) for e, top in self.real.items() for n in range(1, top + 1) if (e, n) not in known]
        r.add("lost", len(missing), f"{len(missing)} acknowledged records of the agent are not in the database, e.g. {missing[:1]}")
        seen, end = {}, time.monotonic() + 15
        while time.monotonic() < end:
            seen = dict(self.cell.sql(f"SELECT object, count(*) FROM {t}.detection WHERE device_id = '{device}' GROUP BY 1"))
            if all(str(computer.file(n)) in seen for n in handled):
                break
            time.sleep(0.3)
        missing = [n for n in handled if str(computer.file(n)) not in seen]
        r.add("lost", len(missing), f"{len(missing)} files were taken away by the agent and not reported, e.g. {missing[:3]}")
        twice = [o for o, n in seen.items() if int(n) > 1]
        r.add("doubled", len(twice), f"{len(twice)} files are reported more than once, e.g. {twice[:1]}")

    def _quiet(self, r):
        now = self.quiet()
        touched = [k for k in set(now) | set(self.quiet_before) if now.get(k) != self.quiet_before.get(k)]
        r.add("foreign", len(touched), f"rows of companies without traffic have changed: {sorted(touched)[:4]}")
        self.quiet_before = now
