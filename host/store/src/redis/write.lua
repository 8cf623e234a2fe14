-- Makes the given fields the whole entry, if the condition holds.
-- ARGV: repeated, condition, revision, wanted deadline, slack, furthest deadline from now, name, text, name, text, …
local condition, base = ARGV[2], ARGV[3]
local wanted, slack, ahead_max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local first = 7
-- Lua's stack has room for some 8,000 values.
local chunk = 2000

local function set_fields()
  for from = first, #ARGV, chunk do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + chunk - 1, #ARGV)))
  end
end

-- The current names that are not given.
local function other_names()
  local given, others = {}, {}
  for i = first, #ARGV, 2 do given[ARGV[i]] = true end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if not given[name] then others[#others + 1] = name end
  end
  return others
end

local function is_written()
  if redis.call('HLEN', key) ~= (#ARGV - first + 1) / 2 then return false end
  for i = first, #ARGV, 2 do
    if redis.call('HGET', key, ARGV[i]) ~= ARGV[i + 1] then return false end
  end
  return true
end

local kind = kind_of()
if kind ~= 'none' and kind ~= 'hash' and condition ~= 'present' then return { 'type', kind } end
local expires = kind == 'none' and -2 or redis.call('PEXPIRETIME', key)
-- The deadline identifies a write: together with the same fields it shows that this one was applied.
if repeated and kind == 'hash' and expires == wanted and is_written() then
  return { 'written', number(wanted), number(now()) }
end

local holds
if condition == 'absent' then
  holds = kind == 'none'
elseif condition == 'present' then
  holds = kind ~= 'none'
else
  holds = kind == 'hash' and revision(expires) == base
end
if not holds then return refused(kind, expires) end
local invalid, time = invalid_deadline(wanted, ahead_max)
if invalid then return invalid end

if kind == 'hash' then
  -- The first write command changes nothing: with full memory or on a replica it fails before anything is changed. The
  -- deadline comes before the fields: if it may not be set, they stay as they are.
  local others = other_names()
  if #others > 0 then redis.call('HDEL', key, 'no field of a ticket') end
  local created_at = redis.call('HGET', key, 'created_at')
  if created_at then redis.call('HSET', key, 'created_at', created_at) end
  wanted = condition == 'present' and deadline(wanted, slack, expires) or wanted
  redis.call('PEXPIREAT', key, number(wanted))
  set_fields()
  for _, name in ipairs(others) do redis.call('HDEL', key, name) end
else
  if kind ~= 'none' then
    -- This must fail; its error tells whether a HSET after the DEL would succeed.
    local tried = redis.pcall('HSET', key, ARGV[first], '')
    if string.sub(tried.err, 1, 9) ~= 'WRONGTYPE' then return tried end
    wanted = deadline(wanted, slack, expires)
    redis.call('DEL', key)
  end
  set_fields()
  local set = redis.pcall('PEXPIREAT', key, number(wanted))
  if type(set) == 'table' then
    redis.call('DEL', key)
    return set
  end
end
return { 'written', number(wanted), time }
