-- owner, fence, generation, grant, lease in ms
local held = redis.call('GET', KEYS[2])
local is_mine = held == ARGV[1]
-- One that ran out, or that a server which took over has never heard of, is taken again while nobody was there.
if not held and number(field('fence')) <= number(ARGV[2]) and is_at(ARGV[3], ARGV[4]) then is_mine = true end
if is_mine then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5]) end
return {is_mine and 'ok' or 'lost', is_at(ARGV[3], ARGV[4]) and 'same' or 'moved'}
