namespace ManagedTransformers.Bench;

/// <summary>How far a peer's output is from ours.</summary>
internal static class OutputDifference
{
    /// <summary>The largest |ours − theirs| over the largest |ours|; where ours is exactly 0 (padding that was not computed) nothing is compared.</summary>
    /// <exception cref="PeerException">The two have different lengths.</exception>
    public static double Of(float[] ours, float[] theirs)
    {
        if (ours.Length != theirs.Length)
            throw new PeerException($"its output has {theirs.Length} numbers, ours {ours.Length}.");
        (double difference, double magnitude) = (0, 0);
        for (int i = 0; i < ours.Length; i++)
        {
            if (ours[i] == 0)
                continue;
            difference = Math.Max(difference, Math.Abs((double)ours[i] - theirs[i]));
            magnitude = Math.Max(magnitude, Math.Abs((double)ours[i]));
        }
        return difference / magnitude;
    }
}
