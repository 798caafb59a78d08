namespace ManagedTransformers;

/// <summary>The best of many scores.</summary>
internal static class Ranking
{
    /// <summary>The numbers of the <paramref name="count"/> highest scores, highest first; of equals the lower number first.</summary>
    public static int[] Best(ReadOnlySpan<float> scores, int count)
    {
        count = Math.Min(count, scores.Length);
        var queue = new PriorityQueue<int, (float Score, int Negated)>(count + 1);
        for (int i = 0; i < scores.Length; i++)
        {
            if (queue.Count < count)
                queue.Enqueue(i, (scores[i], -i));
            else if (queue.TryPeek(out _, out (float Score, int Negated) worst) && scores[i] > worst.Score)
                queue.DequeueEnqueue(i, (scores[i], -i));
        }
        var best = new int[count];
        for (int i = count - 1; i >= 0; i--)
            best[i] = queue.Dequeue();
        return best;
    }

    /// <summary>The same among some numbers only.</summary>
    public static int[] Best(ReadOnlySpan<float> scores, int count, ReadOnlySpan<int> among)
    {
        var chosen = new float[among.Length];
        for (int i = 0; i < among.Length; i++)
            chosen[i] = scores[among[i]];
        int[] best = Best(chosen, count);
        for (int i = 0; i < best.Length; i++)
            best[i] = among[best[i]];
        return best;
    }

    /// <summary>The place of a number among all in the order of <see cref="Best(ReadOnlySpan{float}, int)"/>; 1 for the highest score.</summary>
    public static int RankOf(ReadOnlySpan<float> scores, int number)
    {
        int before = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            if (scores[i] > scores[number] || (scores[i] == scores[number] && i < number))
                before++;
        }
        return before + 1;
    }
}
