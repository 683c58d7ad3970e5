package contractfuzz

// choices are decisions made of a fuzzer's bytes. When there are none left, each is 0.
type choices struct{ rest []byte }

// below gives a number from 0 to n-1.
func (c *choices) below(n int) int {
	if n <= 1 || len(c.rest) == 0 {
		return 0
	}
	v := int(c.rest[0])
	c.rest = c.rest[1:]
	if n > 256 && len(c.rest) > 0 {
		v = v<<8 | int(c.rest[0])
		c.rest = c.rest[1:]
	}
	return v % n
}

// text gives up to n of the bytes as they are.
func (c *choices) text(n int) string {
	n = min(c.below(n+1), len(c.rest))
	text := string(c.rest[:n])
	c.rest = c.rest[n:]
	return text
}

// take gives the next n away.
func (c *choices) take(n int) choices {
	n = min(n, len(c.rest))
	taken := choices{rest: c.rest[:n]}
	c.rest = c.rest[n:]
	return taken
}

// split shares the choices of an input out to its requests.
func split(input []byte) []choices {
	if len(input) == 0 {
		return []choices{{}}
	}
	n := int(input[0])%maxRequests + 1
	parts := make([]choices, n)
	for i, rest := 0, input[1:]; i < n; i++ {
		size := len(rest) / (n - i)
		parts[i].rest, rest = rest[:size], rest[size:]
	}
	return parts
}

const maxRequests = 4
