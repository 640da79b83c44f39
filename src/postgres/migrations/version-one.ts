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
 * `held`, in the functions below, has a bit for each lock that a hold has: 1 K shared, 2 K
 * exclusive, 4 U, 8 M.
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
  const see = `select l.token, ${died('l')} into strict token, died from ${s}.lock l where l.key = k;`
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
  value bytea check (octet_length(value) <= 1024),
  value_token bigint
) with (fillfactor = 30);      -- so that updates stay in their page and change no index

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

-- Returns the name that the row has: another one is a collision of keys.
create function ${s}.open(k bigint, n text) returns text language plpgsql as $$
declare found_name text; least_token bigint;
begin
  select l.name into found_name from ${s}.lock l where l.key = k;
  if found then return found_name; end if;
  -- Waits for a removal that is under way, so that the floor is the one after it.
  select m.token_floor into least_token from ${s}.meta m for share;
  insert into ${s}.lock (key, name, floor, token) values (k, n, least_token, least_token) on conflict do nothing;
  select l.name into strict found_name from ${s}.lock l where l.key = k;
  return found_name;
end $$;

create function ${s}.read(k bigint, epoch bigint, out token bigint, out died text) language plpgsql as $$
begin
  perform pg_advisory_lock_shared(k);
  ${see}
end $$;

create function ${s}.upgradable(k bigint, epoch bigint, out token bigint, out died text) language plpgsql as $$
begin
  perform pg_advisory_lock_shared(k | 2);
  perform pg_advisory_lock(k | 1);
  perform pg_advisory_lock_shared(k);
  ${see}
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
-- "again": the session has a read hold of this lock, so the server would grant another one even past a waiting writer.
create function ${s}.try_read(k bigint, epoch bigint, again boolean, out ok boolean, out token bigint, out died text) language plpgsql as $$
begin
  ok := not (again and exists (
    select from pg_locks w where w.locktype = 'advisory' and not w.granted and w.objsubid = 1
      and w.database = (select oid from pg_database where datname = current_database())
      and (w.classid::bigint << 32 | w.objid::bigint) = k)) and pg_try_advisory_lock_shared(k);
  if not ok then return; end if;
  ${see}
end $$;

create function ${s}.try_upgradable(k bigint, epoch bigint, out ok boolean, out token bigint, out died text) language plpgsql as $$
begin
  ok := pg_try_advisory_lock(k | 1);
  if not ok then return; end if;
  ok := pg_try_advisory_lock_shared(k);
  if not ok then perform ${s}.unlock(k, 4); return; end if;
  perform pg_advisory_lock_shared(k | 2);
  ${see}
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

-- Releases what of "held" the session has.
create function ${s}.undo(k bigint, held integer) returns void language plpgsql as $$
begin
  if held & 2 > 0 then perform pg_advisory_unlock(k); end if;
  if held & 1 > 0 then perform pg_advisory_unlock_shared(k); end if;
  if held & 8 > 0 then perform pg_advisory_unlock_shared(k | 2); end if;
  if held & 4 > 0 then perform pg_advisory_unlock(k | 1); end if;
end $$;

create function ${s}.unlock(k bigint, held integer) returns void language plpgsql as $$
declare ok boolean := true;
begin
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

-- "remains": the bits of the hold afterwards.
create procedure ${s}.downgrade(k bigint, left_by text, held integer, remains integer) language plpgsql as $$
begin
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
declare least_token bigint;
begin
  state := 'busy';
  if not pg_try_advisory_lock(k | 1) then return; end if;
  if not pg_try_advisory_lock(k) then perform ${s}.unlock(k, 4); return; end if;
  state := 'none';
  select l.token into least_token from ${s}.lock l where l.key = k;
  if found then
    update ${s}.meta set token_floor = greatest(token_floor, least_token);
    delete from ${s}.lock where key = k;
    state := 'removed';
  end if;
  commit;
  perform ${s}.unlock(k, 6);
end $$;

-- Every hold and every waiting request of a session. A session that has several read holds of one lock has one row.
create view ${s}.holders as
  with part as (
    select l.pid as backend, l.granted, l.mode, l.waitstart,
      (l.classid::bigint << 32 | l.objid::bigint) & ~3::bigint as key, l.objid::bigint & 3 as bits
    from pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
  ), state as (
    select backend, key,
      bool_or(granted and bits = 0 and mode = 'ExclusiveLock') as x,
      bool_or(granted and bits = 0 and mode = 'ShareLock') as r,
      bool_or(granted and bits = 1) as u,
      bool_or(bits = 2) as m,
      bool_or(not granted) as waits,
      bool_or(not granted and bits = 0 and mode = 'ExclusiveLock') as waits_x,
      bool_or(not granted and bits = 1) as waits_u,
      max(waitstart) as waitstart
    from part group by backend, key
  ), row as (
    select backend, key, true as granted, null::timestamptz as waitstart,
      case when x then 'write' when u and r then 'upgradable' else 'read' end as mode
    from state where x or r
    union all
    select backend, key, false, waitstart,
      case when waits_x or (waits_u or u) and not m then 'write' when m then 'upgradable' else 'read' end
    -- One that has U or M alone goes on to wait for K.
    from state where waits or not (x or r)
  )
  select l.name, row.key, row.mode, row.granted, row.backend,
    coalesce(s.pid, 0) as pid, coalesce(s.thread_id, 0) as thread_id, coalesce(s.host, '') as host,
    case when row.granted and row.mode = 'write' then coalesce(l.writer::json ->> 'label', s.label, '')
      else coalesce(s.label, '') end as label,
    case when not row.granted then row.waitstart when row.mode = 'write' then l.since else a.state_change end as since
  from row
    join ${s}.lock l using (key)
    left join ${s}.session s using (backend)
    left join pg_stat_activity a on a.pid = row.backend;
`
}
