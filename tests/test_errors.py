from huanjie_lib.errors import DataError, Fault, HuanjieError, ParameterError, UsageError


def test_every_fault_is_told_with_its_remedy() -> None:
    error = DataError("表不能用", [Fault("表甲 第3行", "a", "b", "c"), Fault("表甲 第4行", "d", "e", "f")])
    text = str(error)
    assert text.splitlines()[0] == "表不能用（共 2 处问题）"
    assert "表甲 第4行：发现“d”；应为：e；处理办法：f。" in text


def test_without_faults_the_summary_stands_alone() -> None:
    assert str(UsageError("端口被占用")) == "端口被占用"


def test_exit_codes_tell_kinds_of_error_apart_and_none_means_success() -> None:
    codes = [e.exit_code for e in (UsageError, DataError, ParameterError)]
    assert len(set(codes)) == 3
    assert 0 not in codes
    assert all(issubclass(e, HuanjieError) for e in (UsageError, DataError, ParameterError))
