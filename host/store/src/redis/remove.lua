-- Removes the entry, if the condition holds. ARGV: repeated, condition, revision.
local condition, base = ARGV[2], ARGV[3]
local kind = kind_of()
if kind == 'none' then
  if condition == 'absent' or repeated then return { 'removed' } end
  return { 'refused' }
end
if condition ~= 'present' then
  if kind ~= 'hash' then return { 'type', kind } end
  local expires = redis.call('PEXPIRETIME', key)
  if condition == 'absent' or revision(expires) ~= base then return refused(kind, expires) end
end
redis.call('DEL', key)
return { 'removed' }
