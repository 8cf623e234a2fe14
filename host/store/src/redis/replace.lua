-- Renames a staged entry over the entry, if that still has the revision that the write replaces. Nothing else does, so a
-- script that does not run changes nothing. The staged entry is deleted by the command after this one.
-- KEYS: the entry, the staged entry. ARGV: the parts of the revision, the new deadline, the furthest deadline from now;
-- then, if the staged entry began as a copy, a field that was set with those that change, how many fields there must be
-- without it, and the names of those that stay.
local key, staged, call = KEYS[1], KEYS[2], redis.call
local times = redis.pcall('HMGET', key, 'created_at', 'updated_at')
if times[1] ~= ARGV[2] or times[2] ~= ARGV[3]
  or call('PEXPIRETIME', key) ~= tonumber(ARGV[1])
  or call('HSTRLEN', key, 'facts') ~= tonumber(ARGV[4])
  or call('HSTRLEN', key, 'history') ~= tonumber(ARGV[5])
  or call('HSTRLEN', key, 'last_decision') ~= tonumber(ARGV[6]) then return end
local time, wanted = call('TIME'), tonumber(ARGV[7])
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- As `invalid_deadline` in entry.lua.
if wanted <= now + 20 or wanted > now + tonumber(ARGV[8]) then return end
if ARGV[9] then
  -- Else the fields were not set: permissions are checked again when a transaction is executed.
  if call('HDEL', staged, ARGV[9]) ~= 1 then return end
  -- Another field, or one that is missing.
  if call('HLEN', staged) ~= tonumber(ARGV[10]) then return end
  if has_field_deadlines() then end_field_deadlines(staged, ARGV, 11, #ARGV) end
end
call('PEXPIREAT', staged, ARGV[7])
call('RENAME', staged, key)
return time
