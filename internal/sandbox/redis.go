package sandbox

import (
	"context"

	"github.com/istirdad/istirdad/bank/redissession"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// wipe deletes a gateway's keys: codes, proofs, previews, counts. Whatever else lives in the same logical database is
// somebody else's.
func wipe(ctx context.Context, client redisstore.Client) error {
	return redisstore.Wipe(ctx, client, redisstore.Prefix, redissession.Prefix, redissession.RatePrefix)
}

// forgiveAll forgives what was compared of everybody. Challenges that live stay as they are, so it takes nothing from
// anybody; it is for whoever doesn't have the pepper by which a gateway turns a customer into a key.
func forgiveAll(ctx context.Context, client redisstore.Client) error {
	const open, end = redisstore.Prefix + "{", "}" // of a holder's key
	codes := redisstore.New(client)
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(ctx, cursor, open+"*"+end, scanned).Result()
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := codes.Forgive(ctx, otp.Holder(key[len(open):len(key)-len(end)])); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

// scanned is how many keys Redis looks at in one step.
const scanned = 500
