# SPDX-License-Identifier: BSD-3-Clause
# Completion of dpdk-iommufd-run for bash. tests/host/test_run_docs.py compares it with --help.

_dpdk_iommufd_run() {
	local at option word words=
	COMPREPLY=()
	for ((at = 1; at < COMP_CWORD; at++)); do
		[ "${COMP_WORDS[at]}" = -- ] || continue
		# The command has a completion of its own.
		if declare -F _command_offset >/dev/null; then
			_command_offset $((at + 1))
		elif [ $((at + 1)) = "$COMP_CWORD" ]; then
			mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		fi
		return
	done
	# Readline breaks words at colons and equals signs: they are put together again.
	for ((at = COMP_CWORD; at > 1; at--)); do
		[[ ${COMP_WORDS[at - 1]} != --* ]] || break
	done
	option=${COMP_WORDS[at - 1]}
	word=$(printf %s "${COMP_WORDS[@]:at:COMP_CWORD-at+1}")
	word=${word#=}
	case $option in
	--user) words=$(compgen -u) ;;
	--group) words=$(compgen -g) ;;
	--device | --bind | --unbind) words=$(cd /sys/bus/pci/devices 2>/dev/null && echo *) ;;
	--keep-capability) words="CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK" ;;
	--serve | --connect)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	# An option that has its argument, or takes none.
	if [ -z "$words" ] || [ "$at" -lt "$COMP_CWORD" ] && [[ $word != *:* && ${COMP_WORDS[at]} != = ]]; then
		word=${COMP_WORDS[COMP_CWORD]}
		words="--user --group --keep-capability --device --serve --connect --dry-run --check
			--status --json --bind --unbind --version --help --"
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	# What stands before the last colon is on the line already.
	COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
}
complete -F _dpdk_iommufd_run dpdk-iommufd-run
