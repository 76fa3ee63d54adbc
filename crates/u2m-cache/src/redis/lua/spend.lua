-- where what it bought is, life in ms, life in ms where other entries hold the token too
redis.call('HDEL', KEYS[1], 'owner', 'until', 'sent')
redis.call('HSET', KEYS[1], 'spent', ARGV[1])
local holders = redis.call('HLEN', KEYS[1]) - 1
redis.call('PEXPIRE', KEYS[1], holders > 1 and ARGV[3] or ARGV[2])
return {'ok'}
