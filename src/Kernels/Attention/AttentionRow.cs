using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>
/// Attention of one query of one head, or of heads that share keys and values, per task, rows of probabilities in memory: for decoding, where a query is
/// all there is and keys and values stream by once, widened in registers, and for callers that ask for the probabilities.
/// </summary>
/// <remarks>A head's result has the same bits whether it is computed alone or with others of its group.</remarks>
internal unsafe struct AttentionRowJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    // Keys, then values, are prefetched this many tokens before they are read: each head is a short stream, which ends before the CPU's
    // own prefetching is at speed.
    private const int Ahead = 8;

    // Bytes of keys, or of values, that a group goes over head by head while they are in the first-level cache.
    private const int PartBytes = 16 * 1024;

    private readonly AttentionCall _call;
    private readonly int _headsPerTask;      // the last task of a group may have fewer

    /// <summary>Groups stay whole where there are tasks enough for the threads without cutting them.</summary>
    public AttentionRowJob(in AttentionCall call, int threads)
    {
        _call = call;
        _headsPerTask = Math.Clamp((int)Math.Min((long)call.Heads * call.Queries / threads, int.MaxValue), 1, Math.Max(1, call.Group));
    }

    public readonly int Tasks => checked(_call.KeyHeads * TasksPerGroup * _call.Queries);

    private readonly int TasksPerGroup => (_call.Group + _headsPerTask - 1) / _headsPerTask;

    /// <summary>Query task % Queries of the heads number task / Queries.</summary>
    public readonly void Execute(int task)
    {
        int part = Math.DivRem(task, _call.Queries, out int i);
        int keyHead = Math.DivRem(part, TasksPerGroup, out int cut);
        int first = (keyHead * _call.Group) + (cut * _headsPerTask), end = Math.Min(first + _headsPerTask, (keyHead + 1) * _call.Group);
        float* p = Scratch.ForTask((long)_call.Keys * (end - first));
        Run(_call, keyHead, first, end - first, i, p);
        if (_call.Probabilities == null) return;
        for (int head = first; head < end; head++) KeepProbabilities(head, i, p + ((nint)(head - first) * _call.Keys));
    }

    private readonly void KeepProbabilities(int head, int i, float* p)
    {
        var row = new Span<float>(_call.Probabilities + ((((nint)head * _call.Queries) + i) * _call.Keys), _call.Keys);
        int count = _call.CountFor(i);
        if (count == 0)
        {
            row.Fill(_call.HeadFactor(head) / _call.Keys);
            return;
        }
        row.Clear();
        for (int j = 0; j < count; j++) row[_call.KeyAt(j)] = p[j];
    }

    /// <summary>One query of some heads; leaves the probabilities of the keys that it sees in p, [heads, Keys].</summary>
    private static void Run(AttentionCall call, int keyHead, int first, int heads, int i, float* p)
    {
        int count = call.CountFor(i), part = Math.Max(4, PartBytes / Math.Max(1, (int)TFormat.RowBytes(call.HeadDim)) / 4 * 4);
        if (heads == 1 || count == 0) part = Math.Max(count, call.Keys);
        for (int start = 0; start < count; start += part)
        {
            for (int h = 0; h < heads; h++)
                Scores(call, keyHead, call.QueryOf(first + h, i), start, Math.Min(start + part, count), count, p + ((nint)h * call.Keys));
        }
        for (int h = 0; h < heads; h++)
        {
            float factor = call.HeadFactor(first + h);
            float* row = p + ((nint)h * call.Keys);
            if (call.Bias != null) call.AddBias<S, V>(first + h, i, 0, count, row);
            if (count > 0) SoftmaxRow.Run<S, V>(row, row, count, factor);
            else new Span<float>(row, call.Keys).Fill(factor / call.Keys);
        }
        if (count == 0)
        {
            call.Visible = null;                                     // sees none: attends to all equally
            call.VisibleCount = call.Keys;
            count = call.Keys;
        }
        for (int start = 0; start < count; start += part)
        {
            for (int h = 0; h < heads; h++)
                Weigh(call, keyHead, start, Math.Min(start + part, count), p + ((nint)h * call.Keys), call.OutputOf(first + h, i));
        }
    }

    // p[j] = q · k[j] · scale for keys start … end − 1 of count, four keys at once
    private static void Scores(in AttentionCall call, int head, float* q, int start, int end, int count, float* p)
    {
        nint length = call.HeadDim, whole = length - (length % S.Width);
        float* sums = stackalloc float[4];
        for (int j = start; j < end; j += 4)
        {
            byte* k0 = call.KeyOf(head, call.KeyAt(j));
            byte* k1 = call.KeyOf(head, call.KeyAt(Math.Min(j + 1, count - 1)));
            byte* k2 = call.KeyOf(head, call.KeyAt(Math.Min(j + 2, count - 1)));
            byte* k3 = call.KeyOf(head, call.KeyAt(Math.Min(j + 3, count - 1)));
            byte* next = j + Ahead < count
                ? call.KeyOf(head, call.KeyAt(j + Ahead))
                : call.ValueOf(head, call.KeyAt(Math.Min(j + Ahead - count, count - 1)));
            nint ahead = (nint)(next - k0);
            ScoreTile.Dot4<S, V, TFormat>(whole, k0, k1, k2, k3, ahead, q, sums);
            for (int r = 0; r < Math.Min(4, end - j); r++)
                p[j + r] = (sums[r] + Rest(q, call.KeyOf(head, call.KeyAt(j + r)), whole, length)) * call.Scale;
        }
    }

    private static float Rest(float* q, byte* k, nint d, nint length)
    {
        float sum = 0;
        for (; d < length; d++) sum += q[d] * TFormat.WidenOne(k, d);
        return sum;
    }

    // output = Σ p[j] · v[j], four vectors of it in registers at a time; from start on it goes on with the sum of the values before
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Weigh(in AttentionCall call, int head, int start, int end, float* p, float* output)
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        nint d = 0;
        for (; d <= call.HeadDim - (4 * S.Width); d += 4 * S.Width)
        {
            V s0 = S.Broadcast(0f), s1 = s0, s2 = s0, s3 = s0;
            if (start > 0)
                (s0, s1, s2, s3) = (S.Load(output + d), S.Load(output + d + S.Width), S.Load(output + d + (2 * S.Width)), S.Load(output + d + (3 * S.Width)));
            for (int j = start; j < end;)
            {
                byte* v = call.ValueOf(head, call.KeyAt(j));
                nint ahead = (nint)(call.ValueOf(head, call.KeyAt(Math.Min(j + Ahead, call.VisibleCount - 1))) - v);
                for (int stop = call.EndOfRun(j, end, Ahead); j < stop; j++, v += call.VTokenBytes)
                {
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
            }
            S.Store(output + d, s0);
            S.Store(output + d + S.Width, s1);
            S.Store(output + d + (2 * S.Width), s2);
            S.Store(output + d + (3 * S.Width), s3);
        }
        for (; d <= call.HeadDim - S.Width; d += S.Width)
        {
            V s = start > 0 ? S.Load(output + d) : S.Broadcast(0f);
            for (int j = start; j < end; j++) s = S.MultiplyAdd(S.Broadcast(p[j]), TFormat.Widen<S, V>(call.ValueOf(head, call.KeyAt(j)), d, decoding), s);
            S.Store(output + d, s);
        }
        for (; d < call.HeadDim; d++)
        {
            float s = start > 0 ? output[d] : 0;
            for (int j = start; j < end; j++) s += p[j] * TFormat.WidenOne(call.ValueOf(head, call.KeyAt(j)), d);
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
