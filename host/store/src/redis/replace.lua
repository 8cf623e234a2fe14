-- Renames a staged entry over the entry. Nothing else does, so a script that does not run changes nothing. The staged entry
-- is deleted by the command after this one.
-- KEYS: the entry, the staged entry. ARGV from 7: the new deadline; then, if the staged entry began as a copy, a field that
-- was set with those that change, how many fields there must be without it, and the names of those that stay.
local staged = KEYS[2]
if ARGV[8] then
  -- Else the fields were not set: permissions are checked again when a transaction is executed.
  if call('HDEL', staged, ARGV[8]) ~= 1 then return end
  -- Another field, or one that is missing.
  if call('HLEN', staged) ~= tonumber(ARGV[9]) then return end
  if has_field_deadlines() then end_field_deadlines(staged, ARGV, 10, #ARGV) end
end
call('PEXPIREAT', staged, ARGV[7])
call('RENAME', staged, key)
return time
