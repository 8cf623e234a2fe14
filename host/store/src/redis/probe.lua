-- Does what the other scripts do, on a key of its own, and leaves nothing.
-- The answer: the name and the error of each command that failed.
local failed = {}
local function try(command, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) == 'table' and answer.err then
    failed[#failed + 1] = command
    failed[#failed + 1] = answer.err
  end
end

-- First, so that full memory is found; the key is removed below, or expires soon.
try('HSET', 'probe', '1')
try('PEXPIREAT', number(now() + 1000))
for _, command in ipairs({ 'TYPE', 'PEXPIRETIME', 'HGETALL', 'HLEN', 'HKEYS' }) do try(command) end
try('HGET', 'probe')
try('HMGET', 'probe', 'none')
try('HSTRLEN', 'probe')
try('HDEL', 'probe')
try('DEL')
return failed
