-- Reads an entry.
local fields = redis.pcall('HGETALL', key)
if fields.err then
  local kind = kind_of()
  if kind == 'none' or kind == 'hash' then return fields end
  return { 'type', kind }
end
if #fields == 0 then return { 'none' } end
return { 'entry', number(math.max(redis.call('PEXPIRETIME', key), 0)), fields }
