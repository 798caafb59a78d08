using System.Diagnostics;

namespace ManagedTransformers.Fuzz;

/// <summary>Makes an input smaller while it shows the same fault.</summary>
internal static class Minimizer
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    public static byte[] Shrink(FuzzTarget target, Finding finding)
    {
        var trial = new Trial(target);
        long start = Stopwatch.GetTimestamp();
        byte[] input = finding.Input;
        for (int part = input.Length / 2; part > 0; part /= 2)
        {
            for (int at = 0; at < input.Length && Stopwatch.GetElapsedTime(start) < s_patience;)
            {
                byte[] shorter = [.. input[..at], .. input[Math.Min(input.Length, at + part)..]];
                if (trial.Run(shorter)?.Key == finding.Fault.Key)
                    input = shorter;
                else
                    at += part;
            }
        }
        return input;
    }
}
