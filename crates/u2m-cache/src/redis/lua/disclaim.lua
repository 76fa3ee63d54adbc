-- owner
if field('owner') == ARGV[1] then redis.call('HDEL', KEYS[1], 'owner', 'until', 'sent') end
return {'ok'}
