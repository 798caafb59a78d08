using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>
/// Attention of one query of one head per task, its row of probabilities in memory: for decoding, where a query is all there is
/// and keys and values stream by once, widened in registers, and for callers that ask for the probabilities.
/// </summary>
internal unsafe struct AttentionRowJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    // Keys, then values, are prefetched this many tokens before they are read: each head is a short stream, which ends before the CPU's
    // own prefetching is at speed.
    private const int Ahead = 8;

    public AttentionCall Call;

    /// <summary>Query task % Queries of head task / Queries.</summary>
    public readonly void Execute(int task)
    {
        int head = Math.DivRem(task, Call.Queries, out int i);
        float* p = Scratch.ForTask(Call.Keys);
        Run(Call, head, i, p);
        if (Call.Probabilities == null) return;

        var row = new Span<float>(Call.Probabilities + ((nint)task * Call.Keys), Call.Keys);
        int count = Call.CountFor(i);
        if (count == 0)
        {
            row.Fill(Call.HeadFactor(head) / Call.Keys);
            return;
        }
        row.Clear();
        for (int j = 0; j < count; j++) row[Call.KeyAt(j)] = p[j];
    }

    /// <summary>One query; leaves the probabilities of the keys that it sees in p.</summary>
    public static void Run(AttentionCall call, int head, int i, float* p)
    {
        int count = call.CountFor(i);
        float factor = call.HeadFactor(head);
        if (count > 0)
        {
            Scores(call, head, call.QueryOf(head, i), count, p);
            SoftmaxRow.Run<S, V>(p, p, count, factor);
        }
        else
        {
            call.Visible = null;                                     // sees none: attends to all equally
            count = call.Keys;
            new Span<float>(p, count).Fill(factor / count);
        }
        Weigh(call, head, count, p, call.OutputOf(head, i));
    }

    // p[j] = q · k[j] · scale, four keys at once
    private static void Scores(in AttentionCall call, int head, float* q, int count, float* p)
    {
        nint length = call.HeadDim, whole = length - (length % S.Width);
        float* sums = stackalloc float[4];
        for (int j = 0; j < count; j += 4)
        {
            byte* k0 = call.KeyOf(head, call.KeyAt(j));
            byte* k1 = call.KeyOf(head, call.KeyAt(Math.Min(j + 1, count - 1)));
            byte* k2 = call.KeyOf(head, call.KeyAt(Math.Min(j + 2, count - 1)));
            byte* k3 = call.KeyOf(head, call.KeyAt(Math.Min(j + 3, count - 1)));
            nint ahead = j + Ahead < count ? Ahead * call.KTokenBytes : (nint)(call.ValueOf(head, call.KeyAt(Math.Min(j + Ahead - count, count - 1))) - k0);
            ScoreTile.Dot4<S, V, TFormat>(whole, k0, k1, k2, k3, ahead, q, sums);
            for (int r = 0; r < Math.Min(4, count - j); r++)
                p[j + r] = (sums[r] + Rest(q, call.KeyOf(head, call.KeyAt(j + r)), whole, length)) * call.Scale;
        }
    }

    private static float Rest(float* q, byte* k, nint d, nint length)
    {
        float sum = 0;
        for (; d < length; d++) sum += q[d] * TFormat.WidenOne(k, d);
        return sum;
    }

    // output = Σ p[j] · v[j], four vectors of it in registers at a time
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Weigh(in AttentionCall call, int head, int count, float* p, float* output)
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        nint d = 0, ahead = Ahead * call.VTokenBytes;
        for (; d <= call.HeadDim - (4 * S.Width); d += 4 * S.Width)
        {
            V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
            for (int j = 0; j < count; j++)
            {
                byte* v = call.ValueOf(head, call.KeyAt(j));
                V x = S.Broadcast(p[j]);
                S.Prefetch(v + ahead + TFormat.RowBytes(d));
                S.Prefetch(v + ahead + TFormat.RowBytes(d + S.Width));
                S.Prefetch(v + ahead + TFormat.RowBytes(d + (2 * S.Width)));
                S.Prefetch(v + ahead + TFormat.RowBytes(d + (3 * S.Width)));
                s0 = S.MultiplyAdd(x, TFormat.Widen<S, V>(v, d, decoding), s0);
                s1 = S.MultiplyAdd(x, TFormat.Widen<S, V>(v, d + S.Width, decoding), s1);
                s2 = S.MultiplyAdd(x, TFormat.Widen<S, V>(v, d + (2 * S.Width), decoding), s2);
                s3 = S.MultiplyAdd(x, TFormat.Widen<S, V>(v, d + (3 * S.Width), decoding), s3);
            }
            S.Store(output + d, s0);
            S.Store(output + d + S.Width, s1);
            S.Store(output + d + (2 * S.Width), s2);
            S.Store(output + d + (3 * S.Width), s3);
        }
        for (; d <= call.HeadDim - S.Width; d += S.Width)
        {
            V s = S.Broadcast(0f);
            for (int j = 0; j < count; j++) s = S.MultiplyAdd(S.Broadcast(p[j]), TFormat.Widen<S, V>(call.ValueOf(head, call.KeyAt(j)), d, decoding), s);
            S.Store(output + d, s);
        }
        for (; d < call.HeadDim; d++)
        {
            float s = 0;
            for (int j = 0; j < count; j++) s += p[j] * TFormat.WidenOne(call.ValueOf(head, call.KeyAt(j)), d);
            output[d] = s;
        }
    }
}

/// <summary>The inner loop of a query's scores: four keys against the query, over the whole vectors of a head.</summary>
/// <remarks>It calls nothing: where an accumulator lives across a call, the JIT keeps it in memory.</remarks>
internal static unsafe class ScoreTile
{
    /// <summary>sums[j] = k_j · q for 4 keys; what lies <paramref name="ahead"/> bytes behind them is prefetched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot4<S, V, TFormat>(nint length, byte* k0, byte* k1, byte* k2, byte* k3, nint ahead, float* q, float* sums)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
        for (nint p = 0; p < length; p += S.Width)
        {
            V v = S.Load(q + p);
            nint line = ahead + TFormat.RowBytes(p);
            S.Prefetch(k0 + line);
            S.Prefetch(k1 + line);
            S.Prefetch(k2 + line);
            S.Prefetch(k3 + line);
            s0 = S.MultiplyAdd(TFormat.Widen<S, V>(k0, p, decoding), v, s0);
            s1 = S.MultiplyAdd(TFormat.Widen<S, V>(k1, p, decoding), v, s1);
            s2 = S.MultiplyAdd(TFormat.Widen<S, V>(k2, p, decoding), v, s2);
            s3 = S.MultiplyAdd(TFormat.Widen<S, V>(k3, p, decoding), v, s3);
        }
        S.Sum4(s0, s1, s2, s3, sums);
    }
}
