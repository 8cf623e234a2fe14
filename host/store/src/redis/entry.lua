-- The beginning of every script of one key: its state, read without copying large fields.
-- Scripts answer only with strings (numbers and booleans change in the protocol), and format numbers with %.0f.
-- No shebang: with one, a server whose memory is full would refuse reads too.
local key = KEYS[1]
-- '1' if the same call was sent before and its answer was lost.
local repeated = ARGV[1] == '1'

local function number(n)
  return string.format('%.0f', n)
end

-- 'none', 'hash', or another type.
local function kind_of()
  return redis.call('TYPE', key).ok
end

-- Milliseconds since the epoch by the clock of the server.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- As `seconds` in revision.rs.
local function seconds(text)
  if not text then return '' end
  if #text <= 20 and not string.find(text, '%D') then return text end
  return '?'
end

-- As `Revision::of` in revision.rs, for a deadline as PEXPIRETIME gives it (-1: none).
local function revision(expires)
  local times = redis.call('HMGET', key, 'created_at', 'updated_at')
  return table.concat({
    number(math.max(expires, 0)), seconds(times[1]), seconds(times[2]),
    number(redis.call('HSTRLEN', key, 'facts')),
    number(redis.call('HSTRLEN', key, 'history')),
    number(redis.call('HSTRLEN', key, 'last_decision')),
  }, '.')
end

-- Most bytes of an entry: ENTRY_BYTES_MAX in limits.rs.
local bytes_max = 16777216

-- The answer with the current entry. An entry that another client made larger than the limit is not sent.
local function entry(tag, expires)
  local bytes = 0
  for _, name in ipairs(redis.call('HKEYS', key)) do
    bytes = bytes + #name + redis.call('HSTRLEN', key, name)
    if bytes > bytes_max then return { 'large' } end
  end
  return { tag, number(math.max(expires, 0)), redis.call('HGETALL', key) }
end

-- The answer if the condition does not hold: the current entry, or none.
local function refused(kind, expires)
  if kind == 'none' then return { 'refused' } end
  return entry('refused', expires)
end

-- As `choose` in deadline.rs: one past the previous deadline if that is of the same TTL.
local function deadline(wanted, slack, expires)
  if expires >= wanted and expires - wanted <= slack then return expires + 1 end
  return wanted
end

-- The server's time if the deadline is invalid, so that the caller corrects its clock: a deadline in the past deletes,
-- one too far ahead never expires. The margin is for the time that the script itself takes.
local function invalid_deadline(wanted, ahead_max)
  local time = now()
  if wanted <= time + 20 or wanted > time + ahead_max then return { 'clock', number(time) } end
  return nil, number(time)
end
