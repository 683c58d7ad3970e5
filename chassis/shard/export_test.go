package shard

import "context"

// AtSteps has the router's moves call fn after each step; an error ends the move there, as a kill would.
func AtSteps(r *Router, fn func(at string) error) { r.step = fn }

// Finish takes a recorded move up without the lock that keeps movers apart, as one does that was thought dead.
func Finish(ctx context.Context, r *Router, partition string) error {
	var move moveRow
	if err := r.directory.NewSelect().Model(&move).Where("partition = ?", partition).Scan(ctx); err != nil {
		return err
	}
	return r.finish(ctx, move)
}

// MoveUnlocked is Move without that lock.
func MoveUnlocked(ctx context.Context, r *Router, partition, to string) error {
	move, err := r.record(ctx, partition, to)
	if err != nil {
		return err
	}
	return r.finish(ctx, move)
}
