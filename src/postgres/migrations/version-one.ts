/**
 * Version 1 of the schema.
 *
 * A lock has three advisory locks of the database: K, its key; U = K | 1; and M = K | 2.
 *
 * - read: K shared
 * - upgradable: M shared, U exclusive, K shared. M never waits: it says what the session wants.
 * - write: U exclusive, K exclusive. An upgradable hold that was upgraded has K shared besides, so
 *   that whatever fails after the exclusive lock was granted leads back to where it was.
 *
 * A lock that limits its readers has advisory locks of two 32-bit numbers besides, which the server
 * keeps apart from those of one: 48 bits of the key, which no other such lock has, and 16 bits: a
 * permit for each read hold that may be, and Q, the queue of the readers.
 *
 * - read with a limit: K shared, and a permit, exclusive. A session has a permit only while it has K:
 *   so all permits are free for a writer, which becomes a reader without a wait.
 * - a reader that waits has Q, exclusive, and looks for a permit again and again. The others wait for
 *   Q, which the server grants in their order: a lock costs one session that looks.
 *
 * `held`, in the functions below, has a bit for each lock that a hold has: 1 K shared, 2 K
 * exclusive, 4 U, 8 M, 16 a permit, whose number is in the bits above.
 *
 * The functions are in plpgsql: each of its statements sees what was committed before it, also
 * after a wait. `epoch` is the least token of the server's timeline.
 *
 * @param s - The schema, as a quoted identifier.
 */
export function version1(s: string): string {
  // A row that was written before the last promotion may have lost its last marks with the old
  // primary: the first holder after it learns of that.
  const died = (row: string, epoch = 'epoch') =>
    `coalesce(${row}.writer, case when ${row}.token > ${row}.floor and ${row}.token < ${epoch} ` +
    `then '{"token":"' || ${row}.token || '","failover":true}' end)`
  // The row as it was is `o`, so one statement gives both.
  const mark = `
    update ${s}.lock l
      set token = greatest(o.token + 1, epoch), since = clock_timestamp(),
        writer = '{"token":"' || greatest(o.token + 1, epoch) || '",' || who
      from ${s}.lock o where l.key = k and o.key = k
      returning l.token, ${died('o')} into strict token, died;`
  const see = (row = '') =>
    `select l.token, ${died('l')} into strict token, died from ${s}.lock l where l.key = k${row};`
  // A read fails if the row is not what the client takes it for: it was removed, and created again.
  const seeUnlimited = see(' and l.max_readers is null')
  const seeLimited = see(' and l.max_readers = n')
  const permit = (number: string) => `(k >> 32)::integer, (k << 32 >> 32)::integer & -65536 | ${number}`
  const q = permit('65535')
  // "again": the session has a read hold of this lock, so the server would grant another one even past a waiting writer.
  const share = `ok := not (again and exists (
    select from pg_locks w where w.locktype = 'advisory' and not w.granted and w.objsubid = 1
      and w.database = (select oid from pg_database where datname = current_database())
      and (w.classid::bigint << 32 | w.objid::bigint) = k)) and pg_try_advisory_lock_shared(k);
  if not ok then return; end if;`
  return `
create table ${s}.meta (
  one boolean primary key default true check (one),
  version integer not null,
  -- Tokens of new locks begin above those of removed ones.
  token_floor bigint not null default 0
);
insert into ${s}.meta (version) values (1);

-- What must outlive the holders of a lock.
create table ${s}.lock (
  key bigint primary key,
  name text not null,
  floor bigint not null,       -- the token at the creation of the row
  token bigint not null,       -- of the last write hold
  since timestamptz,           -- when that hold began
  writer text,                 -- who holds it for write, or ended so without release; null: the last one ended consistent
  max_readers integer,         -- null: no limit
  value bytea check (octet_length(value) <= 1024),
  value_token bigint
) with (fillfactor = 30);      -- so that updates stay in their page and change no index

-- The locks that limit their readers. Not an index of the table above: each write would pay for it.
create table ${s}.limited (
  prefix bigint primary key,   -- the bits of the key that its permits have
  key bigint not null
);

-- Who a session is. A row of a session that has ended is harmless: it is used only for sessions that have locks.
create unlogged table ${s}.session (
  backend integer primary key,
  pid integer not null,
  thread_id integer not null,
  host text not null,
  label text not null
);

create function ${s}.begin_session(pid integer, thread_id integer, host text, label text) returns void language sql as $$
  insert into ${s}.session values (pg_backend_pid(), $1, $2, $3, $4)
    on conflict (backend) do update set pid = $1, thread_id = $2, host = $3, label = $4
$$;

create function ${s}.label_session(label text) returns void language sql as $$
  update ${s}.session set label = $1 where backend = pg_backend_pid()
$$;

-- Returns what the row has: another name is a collision of keys.
create function ${s}.open(k bigint, n text, max integer, out name text, out max_readers integer) language plpgsql as $$
declare least_token bigint;
begin
  select l.name, l.max_readers into name, max_readers from ${s}.lock l where l.key = k;
  if found then return; end if;
  -- Waits for a removal that is under way, so that the floor is the one after it.
  select m.token_floor into least_token from ${s}.meta m for share;
  insert into ${s}.lock (key, name, floor, token, max_readers)
    values (k, n, least_token, least_token, max) on conflict do nothing;
  if found and max is not null then
    insert into ${s}.limited values (k >> 16, k) on conflict do nothing;
    if not found then
      delete from ${s}.lock l where l.key = k;
      select l.name into name from ${s}.limited p join ${s}.lock l on l.key = p.key where p.prefix = k >> 16;
      return;
    end if;
  end if;
  select l.name, l.max_readers into strict name, max_readers from ${s}.lock l where l.key = k;
end $$;

create function ${s}.read(k bigint, epoch bigint, out token bigint, out died text) language plpgsql as $$
begin
  perform pg_advisory_lock_shared(k);
  ${seeUnlimited}
end $$;

create function ${s}.upgradable(k bigint, epoch bigint, out token bigint, out died text) language plpgsql as $$
begin
  perform pg_advisory_lock_shared(k | 2);
  perform pg_advisory_lock(k | 1);
  perform pg_advisory_lock_shared(k);
  ${see()}
end $$;

create function ${s}.write(k bigint, epoch bigint, who text, out token bigint, out died text) language plpgsql as $$
begin
  perform pg_advisory_lock(k | 1);
  perform pg_advisory_lock(k);
  ${mark}
end $$;

-- From an upgradable hold.
create function ${s}.upgrade(k bigint, epoch bigint, who text, out token bigint, out died text) language plpgsql as $$
begin
  perform pg_advisory_lock(k);
  ${mark}
end $$;

-- These do not wait. If one fails, its client calls undo(): the session may have other holds.
create function ${s}.try_read(k bigint, epoch bigint, again boolean, out ok boolean, out token bigint, out died text) language plpgsql as $$
begin
  ${share}
  ${seeUnlimited}
end $$;

create function ${s}.try_upgradable(k bigint, epoch bigint, out ok boolean, out token bigint, out died text) language plpgsql as $$
begin
  ok := pg_try_advisory_lock(k | 1);
  if not ok then return; end if;
  ok := pg_try_advisory_lock_shared(k);
  if not ok then perform ${s}.unlock(k, 4); return; end if;
  perform pg_advisory_lock_shared(k | 2);
  ${see()}
end $$;

create function ${s}.try_write(k bigint, epoch bigint, who text, out ok boolean, out token bigint, out died text) language plpgsql as $$
begin
  ok := pg_try_advisory_lock(k | 1);
  if not ok then return; end if;
  ok := pg_try_advisory_lock(k);
  if not ok then perform ${s}.unlock(k, 4); return; end if;
  ${mark}
end $$;

-- From a read hold, or from an upgradable one, which has U already.
create function ${s}.try_upgrade(k bigint, epoch bigint, who text, has_u boolean, out ok boolean, out token bigint, out died text) language plpgsql as $$
begin
  ok := has_u or pg_try_advisory_lock(k | 1);
  if not ok then return; end if;
  ok := pg_try_advisory_lock(k);
  if not ok then
    if not has_u then perform ${s}.unlock(k, 4); end if;
    return;
  end if;
  ${mark}
end $$;

-- Locks that limit their readers to n. A permit that is free: its number, or null. "own": the permits of this lock that the
-- session has, which the server would grant it again.
create function ${s}.take_permit(k bigint, n integer, own integer[]) returns integer language plpgsql as $$
declare first integer := floor(random() * n); i integer;
begin
  for step in 0 .. n - 1 loop
    i := (first + step) % n;
    if i = any(own) then continue; end if;
    if pg_try_advisory_lock(${permit('i')}) then return i; end if;
  end loop;
  return null;
end $$;

create function ${s}.try_read_limited(k bigint, epoch bigint, n integer, again boolean, own integer[],
  out ok boolean, out token bigint, out died text, out permit integer) language plpgsql as $$
begin
  ${share}
  -- If a reader waits, it is first.
  if pg_try_advisory_lock_shared(${q}) then
    permit := ${s}.take_permit(k, n, own);
    perform pg_advisory_unlock_shared(${q});
  end if;
  ok := permit is not null;
  if not ok then perform pg_advisory_unlock_shared(k); return; end if;
  ${seeLimited}
end $$;

create function ${s}.read_limited(k bigint, epoch bigint, n integer, out token bigint, out died text, out permit integer) language plpgsql as $$
declare pause double precision := 0.001; begun timestamptz;
begin
  select t.token, t.died, t.permit into token, died, permit
    from ${s}.try_read_limited(k, epoch, n, false, '{}') t;
  if permit is not null then return; end if;
  perform pg_advisory_lock(${q});
  loop
    perform pg_advisory_lock_shared(k);
    begun := clock_timestamp();
    permit := ${s}.take_permit(k, n, '{}');
    exit when permit is not null;
    perform pg_advisory_unlock_shared(k);
    -- A search among many permits takes at most a tenth of the time.
    perform pg_sleep(greatest(pause, 10 * extract(epoch from clock_timestamp() - begun)));
    pause := least(1.5 * pause, 0.01);
  end loop;
  perform pg_advisory_unlock(${q});
  ${seeLimited}
end $$;

-- Releases what a failed try has got of permits and Q, which the session would show.
create function ${s}.undo_permits(k bigint, own integer[]) returns void language plpgsql as $$
declare i integer;
begin
  for i in
    select l.objid::bigint & 65535 from pg_locks l
      where l.locktype = 'advisory' and l.objsubid = 2 and l.granted and l.pid = pg_backend_pid()
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32 | l.objid::bigint) >> 16 = k >> 16
  loop
    if i = 65535 then perform pg_advisory_unlock_shared(${q});
    elsif not i = any(own) then perform pg_advisory_unlock(${permit('i')});
    end if;
  end loop;
end $$;

-- Releases what of "held" the session has.
create function ${s}.undo(k bigint, held integer) returns void language plpgsql as $$
begin
  if held & 16 > 0 then perform pg_advisory_unlock(${permit('(held >> 5)')}); end if;
  if held & 2 > 0 then perform pg_advisory_unlock(k); end if;
  if held & 1 > 0 then perform pg_advisory_unlock_shared(k); end if;
  if held & 8 > 0 then perform pg_advisory_unlock_shared(k | 2); end if;
  if held & 4 > 0 then perform pg_advisory_unlock(k | 1); end if;
end $$;

create function ${s}.unlock(k bigint, held integer) returns void language plpgsql as $$
declare ok boolean := true;
begin
  if held & 16 > 0 then ok := pg_advisory_unlock(${permit('(held >> 5)')}) and ok; end if;
  if held & 2 > 0 then ok := pg_advisory_unlock(k) and ok; end if;
  if held & 1 > 0 then ok := pg_advisory_unlock_shared(k) and ok; end if;
  if held & 8 > 0 then ok := pg_advisory_unlock_shared(k | 2) and ok; end if;
  if held & 4 > 0 then ok := pg_advisory_unlock(k | 1) and ok; end if;
  if not ok then raise exception 'lock % was not held as %', k, held; end if;
end $$;

-- The mark is committed before the lock is released: the next holder must not see it. It need not be durable: if the
-- server crashes, the next holder is told of a death that was none.
create procedure ${s}.release_write(k bigint, left_by text, held integer) language plpgsql as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  update ${s}.lock set writer = left_by where key = k;
  commit;
  perform ${s}.unlock(k, held);
end $$;

-- "remains": the bits of the hold afterwards. Like a read, it fails if the lock has a limit that the client does not know.
create procedure ${s}.downgrade(k bigint, left_by text, held integer, remains integer) language plpgsql as $$
begin
  if remains & 21 = 1 then
    perform from ${s}.lock l where l.key = k and l.max_readers is not null;
    if found then raise no_data_found; end if;
  end if;
  if held & 2 > 0 then
    perform set_config('synchronous_commit', 'off', true);
    update ${s}.lock set writer = left_by where key = k;
    commit;
  end if;
  -- These do not wait. Not by a try: before version 18 that fails behind a waiting request.
  if remains & ~held & 1 > 0 then perform pg_advisory_lock_shared(k); end if;
  if remains & ~held & 8 > 0 then perform pg_advisory_lock_shared(k | 2); end if;
  perform ${s}.unlock(k, held & ~remains);
end $$;

-- A lock that is held or waited for is left: busy.
create procedure ${s}.remove(k bigint, inout state text) language plpgsql as $$
declare least_token bigint; n integer;
begin
  state := 'busy';
  if not pg_try_advisory_lock(k | 1) then return; end if;
  if not pg_try_advisory_lock(k) then perform ${s}.unlock(k, 4); return; end if;
  select l.token, l.max_readers into least_token, n from ${s}.lock l where l.key = k;
  state := case when found then 'removed' else 'none' end;
  -- A reader that waits may have nothing but Q.
  if n is not null and not pg_try_advisory_lock_shared(${q}) then
    state := 'busy';
  elsif state = 'removed' then
    update ${s}.meta set token_floor = greatest(token_floor, least_token);
    delete from ${s}.lock where key = k;
    delete from ${s}.limited where prefix = k >> 16 and key = k;
  end if;
  commit;
  if n is not null and state <> 'busy' then perform pg_advisory_unlock_shared(${q}); end if;
  perform ${s}.unlock(k, 6);
end $$;

-- Every hold and every waiting request of a session. A session that has several read holds of one lock has one row, with their
-- number if the lock limits its readers.
create view ${s}.holders as
  with part as (
    select l.pid as backend, l.granted, l.mode, l.waitstart, l.objsubid,
      l.classid::bigint << 32 | l.objid::bigint as id
    from pg_locks l
    where l.locktype = 'advisory' and l.objsubid in (1, 2)
      and l.database = (select oid from pg_database where datname = current_database())
  ), named as (
    select backend, granted, mode, waitstart, id & ~3::bigint as key, id & 3 as bits from part where objsubid = 1
    union all
    -- 4: a permit, 5: Q of a reader that waits
    select backend, granted, mode, waitstart, p.key, case when id & 65535 = 65535 then 5 else 4 end
      from part join ${s}.limited p on p.prefix = part.id >> 16
      where objsubid = 2 and mode = 'ExclusiveLock'
  ), state as (
    select backend, key,
      bool_or(granted and bits = 0 and mode = 'ExclusiveLock') as x,
      bool_or(granted and bits = 0 and mode = 'ShareLock') as r,
      bool_or(granted and bits = 1) as u,
      bool_or(bits = 2) as m,
      count(*) filter (where granted and bits = 4) as permits,
      bool_or(bits = 5) as q,
      bool_or(not granted) as waits,
      bool_or(not granted and bits = 0 and mode = 'ExclusiveLock') as waits_x,
      bool_or(not granted and bits = 1) as waits_u,
      max(waitstart) as waitstart
    from named group by backend, key
  ), row as (
    select backend, key, true as granted, null::timestamptz as waitstart, false as q, 1 as count,
      case when x then 'write' when u and r then 'upgradable' else 'read' end as mode
    -- One that has K without a permit looks for one.
    from state join ${s}.lock l using (key) where x or r and (u or l.max_readers is null)
    union all
    select backend, key, true, null, false, permits, 'read' from state where permits > 0 and not x
    union all
    select backend, key, false, waitstart, q, 1,
      case when waits_x or (waits_u or u) and not m then 'write' when m then 'upgradable' else 'read' end
    -- One that has U or M alone goes on to wait for K.
    from state where (waits or q or not (x or r)) and permits = 0
  )
  select l.name, row.key, row.mode, row.granted, row.count, row.backend,
    coalesce(s.pid, 0) as pid, coalesce(s.thread_id, 0) as thread_id, coalesce(s.host, '') as host,
    case when row.granted and row.mode = 'write' then coalesce(l.writer::json ->> 'label', s.label, '')
      else coalesce(s.label, '') end as label,
    -- A reader that looks for a permit waits for no lock: it waits since its statement began.
    case when not row.granted then coalesce(case when row.q then a.query_start end, row.waitstart)
      when row.mode = 'write' then l.since else a.state_change end as since
  from row
    join ${s}.lock l using (key)
    left join ${s}.session s using (backend)
    left join pg_stat_activity a on a.pid = row.backend;
`
}
