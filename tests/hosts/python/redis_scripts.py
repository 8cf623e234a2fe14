"""The scripts that run in the Redis server: one for each operation, so that it is atomic.

The first line of a script lets the server refuse it completely if it must not write. Numbers are formatted by %.0f,
because Lua formats large ones with an exponent.
"""

_STATE = """
local key = KEYS[1]

local function number(n)
  return string.format('%.0f', n)
end

local kind = redis.call('TYPE', key).ok
-- 0 for none.
local expires = math.max(redis.call('PEXPIRETIME', key), 0)

-- A time as part of a revision; another client may have written any text.
local function seconds(text)
  if not text then return '' end
  if #text <= 20 and not string.find(text, '%D') then return text end
  return '?'
end

local function revision(deadline)
  local times = redis.call('HMGET', key, 'created_at', 'updated_at')
  local parts = { number(deadline), seconds(times[1]), seconds(times[2]) }
  for _, name in ipairs({ 'facts', 'history', 'last_decision' }) do
    parts[#parts + 1] = number(redis.call('HSTRLEN', key, name))
  end
  return table.concat(parts, '.')
end

-- The entry.
local function entry()
  if kind == 'none' then return { 'none' } end
  if kind ~= 'hash' then return { 'type', kind } end
  local bytes = 0
  for _, name in ipairs(redis.call('HKEYS', key)) do
    bytes = bytes + #name + redis.call('HSTRLEN', key, name)
    if bytes > 16777216 then return { 'large' } end
  end
  return { 'entry', number(expires), revision(expires), redis.call('HGETALL', key) }
end

-- The TTL from now less a jitter, or a step after the previous deadline if that had the same TTL.
local function deadline(ttl, jitter, step)
  local time = redis.call('TIME')
  local full = time[1] * 1000 + math.floor(time[2] / 1000) + ttl
  local wanted = full - jitter
  if expires < wanted or expires - wanted > math.floor(ttl / 2000) + 1000 then return wanted end
  return expires + 1 + math.min(step, math.max(full + 250 - expires - 1, 0))
end
"""

READ = "#!lua flags=no-writes" + _STATE + "return entry()\n"

# Arguments: condition, revision, TTL, jitter, step, name, text, name, text, …
WRITE = "#!lua" + _STATE + """
local condition, base = ARGV[1], ARGV[2]
local holds = kind == 'hash' and condition == 'at' and revision(expires) == base
  or kind == 'none' and condition == 'absent' or kind ~= 'none' and condition == 'present'
if not holds then return entry() end

local wanted = deadline(tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
-- Missing permissions fail here, before anything changes.
if kind == 'hash' then
  redis.call('HDEL', key, 'no field of a ticket')
  redis.call('PEXPIREAT', key, number(expires > 0 and expires or wanted))
elseif kind ~= 'none' then
  local tried = redis.pcall('HSET', key, ARGV[6], '')
  if string.sub(tried.err, 1, 9) ~= 'WRONGTYPE' then return tried end
  redis.call('DEL', key)
end
local given = {}
for i = 6, #ARGV, 2 do
  given[ARGV[i]] = true
  redis.call('HSET', key, ARGV[i], ARGV[i + 1])
end
for _, name in ipairs(redis.call('HKEYS', key)) do
  if not given[name] then redis.call('HDEL', key, name) end
end
local set = redis.pcall('PEXPIREAT', key, number(wanted))
if type(set) == 'table' then
  redis.call('DEL', key)
  return set
end
return { 'written', number(wanted), revision(wanted) }
"""

# Arguments: TTL, jitter, step.
TOUCH = "#!lua flags=allow-oom" + _STATE + """
if kind ~= 'hash' then return entry() end
local wanted = deadline(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
local state = revision(wanted)
redis.call('PEXPIREAT', key, number(wanted))
return { 'written', number(wanted), state }
"""

# Arguments: condition, revision.
REMOVE = "#!lua flags=allow-oom" + _STATE + """
local condition, base = ARGV[1], ARGV[2]
if kind == 'none' and condition == 'absent' then return { 'removed' } end
local holds = kind ~= 'none' and condition == 'present'
  or kind == 'hash' and condition == 'at' and revision(expires) == base
if not holds then return entry() end
redis.call('DEL', key)
return { 'removed' }
"""
