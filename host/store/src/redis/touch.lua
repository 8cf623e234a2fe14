-- Moves the deadline, if there is an entry, and only from the given revision where one is given.
-- ARGV: repeated, wanted deadline, slack, furthest deadline from now, revision (empty for any).
local wanted, slack, ahead_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local base = ARGV[5]
local kind = kind_of()
if kind == 'none' then return { 'refused' } end
if kind ~= 'hash' then return { 'type', kind } end
local expires = redis.call('PEXPIRETIME', key)
if base ~= '' and revision(expires) ~= base then return refused(kind, expires) end
local invalid, time = invalid_deadline(wanted, ahead_max)
if invalid then return invalid end
wanted = deadline(wanted, slack, expires)
-- Before the change, so that a forbidden command changes nothing.
local state = revision(wanted)
redis.call('PEXPIREAT', key, number(wanted))
if has_field_deadlines() then
  local names = redis.call('HKEYS', key)
  end_field_deadlines(key, names, 1, #names)
end
return { 'written', number(wanted), time, state }
