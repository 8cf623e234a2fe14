-- What the scripts of the usual write begin with. They end here unless the entry is as the write expects it.
-- ARGV: the parts of the revision that the write replaces; then what the script itself needs.
local key, call = KEYS[1], redis.call
local times = redis.pcall('HMGET', key, 'created_at', 'updated_at', 'version')
-- A revision does not tell whether there is a `version`.
if times[1] ~= ARGV[2] or times[2] ~= ARGV[3] or not times[3]
  or call('PEXPIRETIME', key) ~= tonumber(ARGV[1])
  or call('HSTRLEN', key, 'facts') ~= tonumber(ARGV[4])
  or call('HSTRLEN', key, 'history') ~= tonumber(ARGV[5])
  or call('HSTRLEN', key, 'last_decision') ~= tonumber(ARGV[6]) then return end
-- For the answer, before anything changes. The new deadline is later than that of an entry that is alive, so it is ahead.
local time = call('TIME')
