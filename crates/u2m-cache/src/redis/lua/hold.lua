-- the entry that holds the token, life in ms
redis.call('HSET', KEYS[1], 'in:' .. ARGV[1], '1')
if field('spent') == '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {'ok'}
