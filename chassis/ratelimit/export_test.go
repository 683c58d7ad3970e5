package ratelimit

// Keys is how many keys have a bucket of their own.
func (b *TokenBucket) Keys() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.byKey)
}
