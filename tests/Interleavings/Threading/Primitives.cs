using ManagedTransformers.Interleavings;

namespace System.Threading;

internal static class Interlocked
{
    public static int Increment(ref int at)
    {
        Schedule.Point();
        return ++at;
    }

    public static int Decrement(ref int at)
    {
        Schedule.Point();
        return --at;
    }

    public static int Or(ref int at, int value)
    {
        Schedule.Point();
        int before = at;
        at |= value;
        return before;
    }

    public static T Exchange<T>(ref T at, T value)
    {
        Schedule.Point();
        T before = at;
        at = value;
        return before;
    }

    public static T CompareExchange<T>(ref T at, T value, T comparand)
    {
        Schedule.Point();
        T before = at;
        if (EqualityComparer<T>.Default.Equals(before, comparand))
            at = value;
        return before;
    }
}

internal static class Volatile
{
    public static T Read<T>(ref readonly T at)
    {
        Schedule.Point();
        return at;
    }

    public static void Write<T>(ref T at, T value)
    {
        Schedule.Point();
        at = value;
    }
}

/// <summary>Held by one thread, once or several times; <c>lock</c> takes it.</summary>
internal sealed class Lock
{
    private object? _owner;
    private int _times;

    public Scope EnterScope()
    {
        Schedule.Point();
        if (_times > 0 && _owner != Schedule.Self)
            Schedule.Until(() => _times == 0, "waits for a lock");
        (_owner, _times) = (Schedule.Self, _times + 1);
        return new Scope(this);
    }

    public readonly ref struct Scope(Lock of)
    {
        public void Dispose() => of._times--;
    }
}

internal static class Monitor
{
    private static readonly Runtime.CompilerServices.ConditionalWeakTable<object, State> s_states = [];

    public static void Enter(object on, ref bool taken)
    {
        State state = s_states.GetOrCreateValue(on);
        Schedule.Point();
        if (state.IsHeld)
            Schedule.Until(() => !state.IsHeld, "waits for a monitor");
        taken = state.IsHeld = true;
    }

    public static void Exit(object on) => s_states.GetOrCreateValue(on).IsHeld = false;

    public static void Pulse(object on)
    {
        State state = s_states.GetOrCreateValue(on);
        if (state.Waiting > 0)
            state.Pulsed = Math.Min(state.Pulsed + 1, state.Waiting);
    }

    public static bool Wait(object on)
    {
        State state = s_states.GetOrCreateValue(on);
        (state.IsHeld, state.Waiting) = (false, state.Waiting + 1);
        Schedule.Until(() => state is { Pulsed: > 0, IsHeld: false }, "waits for a pulse");
        (state.IsHeld, state.Waiting, state.Pulsed) = (true, state.Waiting - 1, state.Pulsed - 1);
        return true;
    }

    private sealed class State
    {
        public bool IsHeld { get; set; }
        public int Waiting { get; set; }
        public int Pulsed { get; set; }
    }
}

internal sealed class Thread(ThreadStart work)
{
    public bool IsBackground { get; set; }
    public string? Name { get; set; }

    public void Start() => Schedule.Start(() => work(), Name ?? "thread");

    public static void SpinWait(int _) => Schedule.Point(more: 0.5);

    public static bool Yield()
    {
        Schedule.Point(more: 0.5);
        return true;
    }
}

internal sealed class AutoResetEvent(bool initialState)
{
    private bool _set = initialState;

    public void Set()
    {
        Schedule.Point();
        _set = true;
    }

    public void WaitOne()
    {
        Schedule.Point();
        if (!_set)
            Schedule.Until(() => _set, "waits for an event");
        _set = false;
    }
}
