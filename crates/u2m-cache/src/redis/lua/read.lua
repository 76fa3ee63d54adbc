return {field('generation'), field('grant'), field('session'), field('verdict')}
