namespace ManagedTransformers.Bench;

/// <summary>Makes a trace such as people with editors and agents may cause.</summary>
/// <remarks>Of the requests, 60 % are of editor sessions: the rules of a team, which all its members share, and a file that grows, now and then another file.
/// 15 % are bursts: one prompt, four to twelve times within a second. 15 % ask something short after one of four long prompts that all share. 10 % have nothing
/// in common with others.</remarks>
/// <param name="seed">Same seed, same trace.</param>
/// <param name="silos">How many times as many sessions, bursts and so on as for one silo.</param>
/// <param name="seconds">Its length.</param>
/// <param name="rate">Requests in a second for each silo.</param>
internal sealed class TraceGenerator(int seed, int silos, double seconds, double rate)
{
    private const double SessionShare = 0.6, BurstShare = 0.15, HotShare = 0.15, ColdShare = 0.1;
    private const double SecondsBetweenRequests = 6, RequestsOfSession = 25, RequestsOfBurst = 8;
    private const int HotPrompts = 4, TeamsPerSilo = 2;
    private readonly Random _random = new(seed);
    private readonly List<TraceRequest> _requests = [];
    private int _number;

    public TraceRequest[] Make()
    {
        double all = rate * silos;
        // Sessions that run when the trace begins, and those that begin in it.
        double sessionsAtOnce = all * SessionShare * SecondsBetweenRequests;
        for (int i = 0; i < (int)Math.Round(sessionsAtOnce); i++)
            AddSession(_random.NextDouble() * SecondsBetweenRequests);
        foreach (double time in Times(all * SessionShare / RequestsOfSession))
            AddSession(time);
        foreach (double time in Times(all * BurstShare / RequestsOfBurst))
            AddBurst(time);
        foreach (double time in Times(all * HotShare))
            Add(time, "hot", 32, new TracePiece($"hot-{Skewed(HotPrompts)}", 1024), Own(Between(20, 60)));
        foreach (double time in Times(all * ColdShare))
            Add(time, "cold", Between(16, 64), Own(Between(100, 700)));
        return [.. _requests.OrderBy(request => request.Time)];
    }

    private void AddSession(double time)
    {
        int team = Skewed(TeamsPerSilo * silos);
        var rules = new TracePiece($"team-{team}", 192 + (team * 149 % 832));              // 192 … 1023, a team's always the same
        TracePiece file = Own(Between(100, 700));
        int requests = Math.Max(1, (int)Exponential(RequestsOfSession));
        for (int i = 0; i < requests && time < seconds; i++)
        {
            Add(time, "session", Between(16, 64), rules, file);
            file = _random.NextDouble() < 0.05 ? Own(Between(100, 700)) : file with { Tokens = Math.Min(file.Tokens + Between(5, 60), 900) };
            time += Exponential(SecondsBetweenRequests);
        }
    }

    private void AddBurst(double time)
    {
        TracePiece task = Own(Between(200, 800));
        int requests = Between(4, (2 * (int)RequestsOfBurst) - 4);
        for (int i = 0; i < requests; i++)
            Add(time + _random.NextDouble(), "burst", Between(32, 96), task, Own(Between(5, 30)));
    }

    private void Add(double time, string kind, int newTokens, params TracePiece[] prompt)
    {
        if (time < seconds)
            _requests.Add(new TraceRequest(Math.Round(time, 4), kind, prompt, newTokens));
    }

    private TracePiece Own(int tokens) => new($"own-{_number++}", tokens);

    // Poisson arrivals.
    private IEnumerable<double> Times(double perSecond)
    {
        for (double time = Exponential(1 / perSecond); time < seconds; time += Exponential(1 / perSecond))
            yield return time;
    }

    private double Exponential(double mean) => -mean * Math.Log(1 - _random.NextDouble());

    private int Between(int least, int most) => _random.Next(least, most + 1);

    // The first ones are the most frequent: half of all draws are of the first quarter.
    private int Skewed(int count)
    {
        double x = _random.NextDouble();
        return (int)(count * x * x);
    }
}
