package session

import (
	"context"
	"fmt"
)

// ProbeRedis connects to what a redis_url names and asks for a sign of life. Its
// error never quotes the address, which may hold a password.
func ProbeRedis(ctx context.Context, address string) error {
	client, _, err := newRedisClient(address)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}
