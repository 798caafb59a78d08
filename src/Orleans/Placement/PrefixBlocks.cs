using System.Runtime.CompilerServices;

namespace ManagedTransformers.Orleans;

/// <summary>Names beginnings of prompts by numbers, so that a directory of them is small: one for each block of as many tokens as a page of the KV cache has,
/// which depends on all tokens up to its end.</summary>
internal static class PrefixBlocks
{
    /// <summary>Tokens of a block.</summary>
    public const int Tokens = KeyValuePages.Tokens;

    /// <summary>The most blocks of one prompt.</summary>
    public const int MostBlocks = 256;

    // A cache holds the same arrays from report to report.
    private static readonly ConditionalWeakTable<int[], ulong[]> s_known = [];

    /// <summary>The whole blocks of a prompt, the first ones of a longer one.</summary>
    public static ulong[] Of(ReadOnlySpan<int> prompt)
    {
        var blocks = new ulong[Math.Min(prompt.Length / Tokens, MostBlocks)];
        ulong hash = 0;
        for (int i = 0; i < blocks.Length; i++)
        {
            foreach (int token in prompt.Slice(i * Tokens, Tokens))
                hash = Mix(hash + 0x9E3779B97F4A7C15UL + (uint)token);
            blocks[i] = hash;
        }
        return blocks;
    }

    /// <summary>At most <paramref name="most"/> blocks of several prompts: those of the most recently used ones, which are the last, and of each its
    /// first.</summary>
    public static ulong[] Of(IReadOnlyList<int[]> prompts, int most)
    {
        var blocks = new HashSet<ulong>();
        for (int i = prompts.Count - 1; i >= 0 && blocks.Count < most; i--)
        {
            foreach (ulong block in s_known.GetValue(prompts[i], static prompt => Of(prompt)))
            {
                if (blocks.Count < most)
                    blocks.Add(block);
            }
        }
        return [.. blocks];
    }

    /// <summary>How many of a prompt's first blocks are among these.</summary>
    public static int Common(ReadOnlySpan<ulong> prompt, IReadOnlySet<ulong> held)
    {
        int common = 0;
        while (common < prompt.Length && held.Contains(prompt[common]))
            common++;
        return common;
    }

    // Steele et al. 2014, SplitMix64
    internal static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
