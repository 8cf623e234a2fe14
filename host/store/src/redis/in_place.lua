-- Sets the fields that change. Their texts enter Lua: as long as they are small, that costs less than a staged entry.
-- ARGV from 7: the new deadline, how many fields there must be, how many of them stay, and their names; then name, text,
-- name, text, … of those that change.
-- Another field, or one that is missing.
if call('HLEN', key) ~= tonumber(ARGV[8]) then return end
local first = 10 + ARGV[9]
-- As in write.lua: a write that changes nothing, then the deadline, then the fields.
call('HSET', key, 'created_at', times[1])
call('PEXPIREAT', key, ARGV[7])
call('HSET', key, unpack(ARGV, first))
if first > 10 and has_field_deadlines() then end_field_deadlines(key, ARGV, 10, first - 1) end
return time
