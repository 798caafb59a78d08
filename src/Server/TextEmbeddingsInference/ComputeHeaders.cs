namespace ManagedTransformers.Server;

/// <summary>The headers that say what an answer took: characters, tokens, and milliseconds.</summary>
internal sealed class ComputeHeaders
{
    private readonly long _start = Stopwatch.GetTimestamp();

    /// <summary>What the engine writes down.</summary>
    public EncoderTimes Times { get; } = new();

    /// <summary>Unicode code points of the texts that were read.</summary>
    public long Characters { get; private set; }

    /// <summary>Tokens that the model read.</summary>
    public long Tokens { get; set; }

    /// <summary>Time that was spent on tokens outside batches: to count or to decode them.</summary>
    public TimeSpan Tokenization { get; set; }

    public void Count(IEnumerable<string> texts) => Characters += texts.Sum(text => (long)text.EnumerateRunes().Count());

    /// <summary>Sets the headers; the answer is written afterwards.</summary>
    public void Write(HttpResponse response)
    {
        TimeSpan total = Stopwatch.GetElapsedTime(_start);
        response.Headers["x-compute-type"] = "cpu";
        response.Headers["x-compute-characters"] = Characters.ToString(CultureInfo.InvariantCulture);
        response.Headers["x-compute-tokens"] = Tokens.ToString(CultureInfo.InvariantCulture);
        Set("x-compute-time", total);
        Set("x-total-time", total);
        Set("x-tokenization-time", Tokenization);
        Set("x-queue-time", Times.Queue);
        Set("x-inference-time", Times.Inference);

        void Set(string name, TimeSpan time) => response.Headers[name] = ((long)time.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
    }
}
