-- The usual write, first of all: sent for the first time, to replace the named state of a ticket by the same fields.
-- What is defined below is defined at every call, which costs as much as this does. Whatever is unusual goes on there.
local function usual()
  local key, call = KEYS[1], redis.call
  local times = redis.pcall('HMGET', key, 'created_at', 'updated_at')
  if not (times[1] and times[2]) then return end
  local facts, history, decision =
    call('HSTRLEN', key, 'facts'), call('HSTRLEN', key, 'history'), call('HSTRLEN', key, 'last_decision')
  if facts * history * decision == 0 then return end
  -- As `revision` below.
  local state = string.format('%.0f.%s.%s.%d.%d.%d',
    call('PEXPIRETIME', key), times[1], times[2], facts, history, decision)
  -- As many fields as are given, and each given one is there: they are the same.
  if state ~= ARGV[3] or call('HLEN', key) * 2 + 6 ~= #ARGV then return end
  for i = 7, #ARGV, 2 do
    local name = ARGV[i]
    if name ~= 'facts' and name ~= 'history' and name ~= 'last_decision' and name ~= 'created_at'
      and name ~= 'updated_at' and call('HSTRLEN', key, name) == 0 then return end
  end
  local time = call('TIME')
  time = time[1] * 1000 + math.floor(time[2] / 1000)
  local wanted = tonumber(ARGV[4])
  -- As `mistaken` below.
  if wanted <= time + 20 or wanted > time + tonumber(ARGV[6]) then return end
  -- What forbids a write shows here, where nothing changes.
  call('HSET', key, 'created_at', times[1])
  call('PEXPIREAT', key, ARGV[4])
  call('HSET', key, unpack(ARGV, 7))
  return { 'written', ARGV[4], string.format('%.0f', time) }
end

if ARGV[1] == '' and ARGV[2] == 'at' and #ARGV < 100 then
  local written = usual()
  if written then return written end
end

