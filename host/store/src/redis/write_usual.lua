-- The usual write, before everything else: sent for the first time, it replaces a known revision of a ticket by the same
-- six fields. The definitions below cost as much at every call as this does. Every other write continues there.
local function usual()
  local key, call, kept = KEYS[1], redis.call, tonumber(ARGV[7])
  local has = redis.pcall('HMGET', key, 'created_at', 'updated_at', 'version')
  if not (has[1] and has[2] and has[3]) then return end
  local facts, history, decision =
    call('HSTRLEN', key, 'facts'), call('HSTRLEN', key, 'history'), call('HSTRLEN', key, 'last_decision')
  if facts * history * decision == 0 then return end
  -- As `revision` below.
  local state = string.format('%.0f.%s.%s.%d.%d.%d',
    call('PEXPIRETIME', key), has[1], has[2], facts, history, decision)
  -- The entry has the six fields and no other, and as many are given.
  if state ~= ARGV[3] or call('HLEN', key) ~= 6 or kept + (#ARGV - 7 - kept) / 2 ~= 6 then return end
  local i = 8
  while i <= #ARGV do
    local name = ARGV[i]
    if name ~= 'history' and name ~= 'last_decision' and name ~= 'updated_at' and name ~= 'facts'
      and name ~= 'created_at' and name ~= 'version' then return end
    i = i + (i <= 7 + kept and 1 or 2)
  end
  local time = call('TIME')
  time = time[1] * 1000 + math.floor(time[2] / 1000)
  local wanted = tonumber(ARGV[4])
  -- As `invalid_deadline` below.
  if wanted <= time + 20 or wanted > time + tonumber(ARGV[6]) then return end
  -- A write that is forbidden fails here, where nothing changes.
  call('HSET', key, 'created_at', has[1])
  call('PEXPIREAT', key, ARGV[4])
  call('HSET', key, unpack(ARGV, 8 + kept))
  if has_field_deadlines() then end_field_deadlines(key, ARGV, 8, 7 + kept) end
  return { 'written', ARGV[4], string.format('%.0f', time) }
end

if ARGV[1] == '' and ARGV[2] == 'at' and #ARGV < 100 then
  local written = usual()
  if written then return written end
end

